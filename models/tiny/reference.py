#!/usr/bin/python3
"""What the exported file computes in plain float32: greedy texts and a perplexity, written to expected.json.

Reads the GGUF file itself (only what export_gguf.py writes), shares the tokenizer with the trainer, and computes in
numpy. Debian's python3-numpy is all it needs.

    reference.py                          rewrites expected.json
    reference.py --check                  fails if expected.json says something else
    reference.py --prompt "One day" -n 64
"""
import argparse
import hashlib
import json
import math
import os
import pathlib
import struct
import sys

# With one thread the matrix library adds in one order, whatever the number of cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from tokenizer import FIRST_PIECE, Tokenizer

HERE = pathlib.Path(__file__).parent
PROMPTS = ["Once upon a time", "One day, a little boy", "The dog was", "Lily and Tom went to the park.",
           "There was a big tree", "\"Can I help you?\" asked", "The little bird could not", "She was sad because"]
GREEDY_TOKENS = 64
GAP_TOLERANCE = 2e-3  # what another matrix library's order of additions may move a gap by

SCALARS = {4: "<I", 5: "<i", 6: "<f", 7: "<?"}
STRING, ARRAY, TENSOR_F32, TENSOR_Q4_0, TENSOR_Q8_0 = 8, 9, 0, 2, 8


class Gguf:
    def __init__(self, path):
        self.raw, self.at = path.read_bytes(), 0
        magic, version = self.bytes(4), self.scalar("<I")
        if magic != b"GGUF" or version != 3:
            raise ValueError(f"{path} is no GGUF file of version 3")
        tensors, keys = self.scalar("<Q"), self.scalar("<Q")
        self.keys = {self.string(): self.value(self.scalar("<I")) for _ in range(keys)}
        table = [self.entry() for _ in range(tensors)]
        alignment = self.keys.get("general.alignment", 32)
        base = -(-self.at // alignment) * alignment
        self.tensors = {name: self.tensor(shape, kind, base + offset) for name, shape, kind, offset in table}

    def bytes(self, count):
        self.at += count
        return self.raw[self.at - count:self.at]

    def scalar(self, layout):
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))[0]

    def string(self):
        return self.bytes(self.scalar("<Q")).decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.scalar("<I"), self.scalar("<Q")
            return [self.value(inner) for _ in range(count)]
        return self.scalar(SCALARS[kind])

    def entry(self):
        name, dimensions = self.string(), self.scalar("<I")
        shape = tuple(self.scalar("<Q") for _ in range(dimensions))
        return name, shape[::-1], self.scalar("<I"), self.scalar("<Q")

    def tensor(self, shape, kind, at):
        count = math.prod(shape)
        if kind == TENSOR_F32:
            return np.frombuffer(self.raw, "<f4", count, at).reshape(shape)
        if kind == TENSOR_Q4_0:
            blocks = np.frombuffer(self.raw, [("scale", "<f2"), ("quants", "u1", 16)], count // 32, at)
            quants = np.concatenate([blocks["quants"] & 15, blocks["quants"] >> 4], axis=1).astype(np.int8) - 8
            return (blocks["scale"].astype(np.float32)[:, None] * quants).astype(np.float32).reshape(shape)
        if kind != TENSOR_Q8_0:
            raise ValueError(f"tensor kind {kind} is none that the exporter writes")
        blocks = np.frombuffer(self.raw, [("scale", "<f2"), ("quants", "i1", 32)], count // 32, at)
        return (blocks["scale"].astype(np.float32)[:, None] * blocks["quants"]).astype(np.float32).reshape(shape)


class Llama:
    """Batch of one, with a cache of keys and values. Shapes: T tokens, H heads, K key heads, D values a head."""

    def __init__(self, file):
        key = lambda name: file.keys["llama." + name]
        self.weights, self.context, self.layers = file.tensors, key("context_length"), key("block_count")
        self.heads, self.kv_heads = key("attention.head_count"), key("attention.head_count_kv")
        self.head = key("rope.dimension_count")
        self.epsilon = np.float32(key("attention.layer_norm_rms_epsilon"))
        pairs = np.arange(self.head // 2, dtype=np.float64)
        turn = np.outer(np.arange(self.context), key("rope.freq_base") ** (-2 * pairs / self.head)).astype(np.float32)
        # A rotation is a product with e^(i angle) when the pair (2j, 2j+1) is read as one complex number.
        self.turn = (np.cos(turn) + 1j * np.sin(turn)).astype(np.complex64)[:, None, :]
        self.reset()

    def reset(self):
        self.cache = [None] * self.layers
        self.length = 0

    def norm(self, x, name):
        return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.epsilon) * self.weights[name + ".weight"]

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T

    def rotate(self, x):
        turn = self.turn[self.length:self.length + len(x)]
        return (np.ascontiguousarray(x).view(np.complex64) * turn).view(np.float32)

    def attend(self, x, layer):
        blk, tokens = f"blk.{layer}.", len(x)
        q = self.rotate(self.linear(x, blk + "attn_q").reshape(tokens, self.heads, self.head))
        k = self.rotate(self.linear(x, blk + "attn_k").reshape(tokens, self.kv_heads, self.head))
        v = self.linear(x, blk + "attn_v").reshape(tokens, self.kv_heads, self.head)
        if self.cache[layer]:
            k, v = (np.concatenate(pair) for pair in zip(self.cache[layer], (k, v)))
        self.cache[layer] = k, v
        hidden = np.arange(len(k)) > np.arange(self.length, self.length + tokens)[:, None]
        out = np.empty_like(q)
        for h in range(self.heads):
            shared = h * self.kv_heads // self.heads
            scores = q[:, h] @ k[:, shared].T / np.float32(math.sqrt(self.head))
            scores[hidden] = -np.inf
            p = np.exp(scores - scores.max(-1, keepdims=True))
            out[:, h] = p / p.sum(-1, keepdims=True) @ v[:, shared]
        return self.linear(out.reshape(tokens, -1), blk + "attn_output")

    def feed_forward(self, x, layer):
        blk = f"blk.{layer}."
        gate = self.linear(x, blk + "ffn_gate")
        return self.linear(gate / (1 + np.exp(-gate)) * self.linear(x, blk + "ffn_up"), blk + "ffn_down")

    def forward(self, tokens):
        """Logits [T, vocabulary] of `tokens`, which continue what came before."""
        x = self.weights["token_embd.weight"][tokens]
        for layer in range(self.layers):
            x = x + self.attend(self.norm(x, f"blk.{layer}.attn_norm"), layer)
            x = x + self.feed_forward(self.norm(x, f"blk.{layer}.ffn_norm"), layer)
        self.length += len(tokens)
        return self.linear(self.norm(x, "output_norm"), "token_embd")


def greedy(model, tokenizer, bos, prompt, count):
    model.reset()
    ids, tokens, gaps = [bos] + tokenizer.encode(prompt), [], []
    logits = model.forward(ids)[-1]
    while len(tokens) < count:
        second, first = np.partition(logits, -2)[-2:]
        tokens.append(int(logits.argmax()))
        gaps.append(round(float(first - second), 4))
        if len(tokens) < count:
            logits = model.forward(tokens[-1:])[-1]
    return {"prompt": prompt, "prompt_tokens": ids, "tokens": tokens, "gaps": gaps, "text": tokenizer.decode(tokens)}


def perplexity(model, tokenizer, bos, text):
    """exp of the mean loss over windows of the context, each a BOS and the next context - 1 tokens."""
    ids, total, step = tokenizer.encode(text), 0.0, model.context - 1
    for at in range(0, len(ids), step):
        target = ids[at:at + step]
        model.reset()
        logits = model.forward([bos] + target[:-1]).astype(np.float64)
        top = logits.max(-1)
        normalizer = top + np.log(np.exp(logits - top[:, None]).sum(-1))
        total += float((normalizer - logits[np.arange(len(target)), target]).sum())
    return math.exp(total / len(ids)), len(ids)


def describe(path, file, model, tokenizer, bos):
    value, count = perplexity(model, tokenizer, bos, (HERE / "eval-text.txt").read_text(encoding="utf-8"))
    return {path.name: {"sha256": hashlib.sha256(file.raw).hexdigest(),
                        "greedy": [greedy(model, tokenizer, bos, p, GREEDY_TOKENS) for p in PROMPTS],
                        "perplexity": value, "perplexity_tokens": count, "context": model.context}}


def differs(expected, actual, name=""):
    """Names of the values that disagree: numbers with a fraction by more than additions in another order explain."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return [d for key in expected for d in differs(expected[key], actual[key], f"{name}/{key}")]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [d for i, pair in enumerate(zip(expected, actual)) for d in differs(*pair, f"{name}/{i}")]
    same = abs(expected - actual) <= GAP_TOLERANCE if isinstance(expected, float) else expected == actual
    return [] if same else [f"{name}: {expected} is now {actual}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=HERE / "model.gguf")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--prompt")
    parser.add_argument("-n", type=int, default=GREEDY_TOKENS)
    options = parser.parse_args()
    file = Gguf(options.model)
    model, bos = Llama(file), file.keys["tokenizer.ggml.bos_token_id"]
    tokenizer = Tokenizer(file.keys["tokenizer.ggml.tokens"][FIRST_PIECE:])
    if options.prompt is not None:
        print(json.dumps(greedy(model, tokenizer, bos, options.prompt, options.n)))
        return 0
    actual = describe(options.model, file, model, tokenizer, bos)
    expected = HERE / "expected.json"
    if not options.check:
        expected.write_text(json.dumps(actual, indent=1) + "\n")
        return 0
    problems = differs(json.loads(expected.read_text()), actual)
    print("\n".join(problems) or f"{expected.name} holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
