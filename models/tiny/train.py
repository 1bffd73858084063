#!/usr/bin/python3
"""Train the small story model: vocabulary first, then the weights; checkpoints go to --work.

Needs Debian's python3-torch and libopenblas0-pthread. Same text, seed and options give the same vocabulary; weights
agree only as far as the machine's matrix library adds in the same order.
"""
import argparse
import json
import math
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when PyTorch loads the library

import numpy as np
import torch

import reference
from fake_quantization import ROUNDERS, fake_quantize, plain_weights
from model import Config, Model
from tokenizer import BOS, EOS, Tokenizer

STORY_END = "<|endoftext|>"
HOLD_OUT_EVERY = 100  # stories of the training file that are only measured on: the same mixture as trained on
PLAIN = str.maketrans({"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-",
                       "\u2026": "...", "\u00a0": " "})


def read_stories(path):
    """Typographic quotes and dashes become plain ones: a small vocabulary has no room for both."""
    text = pathlib.Path(path).read_text(encoding="utf-8").translate(PLAIN)
    return [story for story in (part.strip() for part in text.split(STORY_END)) if story]


def encode_stories(tokenizer, stories):
    """All stories in one row, each between BOS and EOS, and where each begins."""
    row, starts = [], []
    for story in stories:
        starts.append(len(row))
        row += [BOS] + tokenizer.encode(story) + [EOS]
    return torch.tensor(row), torch.tensor(starts)


def windows(row, at, length):
    both = torch.stack([row[i:i + length + 1] for i in at.tolist()])
    return both[:, :-1], both[:, 1:]


class Sampler:
    """Windows of the full context. Every other one starts with a story, as a prompt will; the rest start anywhere."""

    def __init__(self, row, starts, length, batch, seed):
        self.row, self.length, self.batch = row, length, batch
        self.last = len(row) - length - 1
        self.starts = starts[starts <= self.last]
        self.random = torch.Generator().manual_seed(seed)

    def next(self):
        half = self.batch // 2
        stories = self.starts[torch.randint(len(self.starts), (half,), generator=self.random)]
        anywhere = torch.randint(self.last + 1, (self.batch - half,), generator=self.random)
        return windows(self.row, torch.cat([stories, anywhere]), self.length)


@torch.no_grad()
def measure(model, row, length):
    """Mean loss per token over consecutive windows."""
    model.eval()
    at = torch.arange(0, len(row) - length, length)
    losses = [model.loss(*windows(row, part, length)) * len(part) for part in at.split(8)]
    model.train()
    return float(sum(losses)) / len(at)


@torch.no_grad()
def continue_greedily(model, tokenizer, text, count):
    model.eval()
    ids = [BOS] + tokenizer.encode(text)
    for _ in range(count):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
        if ids[-1] == EOS:
            break
    model.train()
    return tokenizer.decode(ids).strip()


def learning_rate(step, options):
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(model, options):
    """Norm weights are not decayed: their natural value is one, not zero."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": options.decay},
                              {"params": vectors, "weight_decay": 0.0}], lr=options.lr, betas=(0.9, 0.95))


def save(path, model, tokenizer, facts):
    """Renamed into place: a reader never sees half a checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save({"weights": plain_weights(model), "config": vars(model.config), "pieces": tokenizer.pieces,
                "facts": facts}, partial)
    partial.replace(path)


def take_step(model, optimizer, batch, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = model.loss(*batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(model, tokenizer, sampler, held_out, other, options):
    """last.pt is the newest checkpoint, best.pt the one with the lowest held-out loss; either can be exported."""
    optimizer, context = make_optimizer(model, options), model.config.context
    began, recent, best = time.time(), [], math.inf
    for step in range(1, options.steps + 1):
        recent.append(take_step(model, optimizer, sampler.next(), learning_rate(step - 1, options)))
        if step % options.every and step < options.steps:
            continue
        facts = {"step": step, "tokens": step * options.batch * context, "seconds": round(time.time() - began),
                 "train_loss": round(float(np.mean(recent)), 4),
                 "held_out_loss": round(measure(model, held_out, context), 4),
                 "valid_loss": round(measure(model, other, context), 4)}
        recent = []
        print(json.dumps(facts), flush=True)
        print("   ", continue_greedily(model, tokenizer, "Once upon a time", 48).replace("\n", " / "), flush=True)
        save(options.work / "last.pt", model, tokenizer, facts)
        if facts["held_out_loss"] < best:
            best = facts["held_out_loss"]
            save(options.work / "best.pt", model, tokenizer, facts)


def begin(stories, options):
    """Model and vocabulary: those of the checkpoint to go on from, or fresh ones."""
    if not options.start:
        config = Config()
        return Model(config, options.dropout), Tokenizer.train(" " + "\n ".join(stories), config.vocabulary)
    if options.start.suffix == ".gguf":
        return begin_from_gguf(options)
    checkpoint = torch.load(options.start)
    model = Model(Config(**checkpoint["config"]), options.dropout)
    model.load_state_dict(checkpoint["weights"])
    return model, Tokenizer(checkpoint["pieces"])


def begin_from_gguf(options):
    """The exported model: checkpoints are large and not kept, the file is."""
    file = reference.Gguf(options.start)
    pieces = file.keys["tokenizer.ggml.tokens"][reference.FIRST_PIECE:]
    model = Model(Config(), options.dropout)
    model.load_state_dict({name: torch.from_numpy(np.array(values, np.float32)) for name, values in file.tensors.items()})
    return model, Tokenizer(pieces)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, help=f"stories, separated by {STORY_END}")
    parser.add_argument("--valid", required=True, help="stories of another file, measured only")
    parser.add_argument("--work", type=pathlib.Path, help="folder for checkpoints")
    parser.add_argument("--measure", action="store_true", help="print the losses of --start, rounded if --quantize is given, and stop")
    parser.add_argument("--start", type=pathlib.Path, help="checkpoint or exported .gguf to go on from; the schedule begins anew")
    parser.add_argument("--quantize", choices=sorted(ROUNDERS), help="train with weights rounded as they will be stored")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--every", type=int, default=250, help="steps between checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.measure != (options.work is None) or (options.measure and not options.start):
        parser.error("give --work to train, or --start and --measure")
    return options


def main():
    options = parse_options()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    stories = read_stories(options.text)
    held_out = stories[::HOLD_OUT_EVERY]
    del stories[::HOLD_OUT_EVERY]
    model, tokenizer = begin(stories, options)
    if options.quantize:
        fake_quantize(model, options.quantize)
    row, starts = encode_stories(tokenizer, stories)
    held_out, _ = encode_stories(tokenizer, held_out)
    other, _ = encode_stories(tokenizer, read_stories(options.valid))
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"parameters": parameters, "stories": len(stories), "tokens": len(row),
                      "held_out_tokens": len(held_out), "valid_tokens": len(other)}), flush=True)
    if options.measure:
        losses = {name: round(measure(model, text, model.config.context), 4) for name, text in (("held_out_loss", held_out), ("valid_loss", other))}
        print(json.dumps(losses))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    sampler = Sampler(row, starts, model.config.context, options.batch, options.seed)
    train(model, tokenizer, sampler, held_out, other, options)


if __name__ == "__main__":
    sys.exit(main())
