#!/usr/bin/python3
"""Where generation ends, how tokens are picked, what prompts are, how texts are scored: lpu-run's options, with models
whose pieces are words of five letters, so that every text tells its tokens."""
import hashlib
import json
import math
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, load_json, np, run, succeed

import gguf
import huggingface
from gguf import ARRAY, BOOL, I32, STRING, U32, Model

VOCABULARY, CONTEXT = 300, 32
PROMPT = [7, 30, 12, 101, 5]
LETTERS = "abdehilmnorstuwy"


def word(i):
    """Of a token: five letters, a different word for each id below 4,096."""
    return "k" + LETTERS[i // 256] + LETTERS[i // 16 % 16] + LETTERS[i % 16] + "o"


class Generation(Case):
    def write(self, special={}, path=None, **changes):
        """A model with words for tokens; `special` names some otherwise, as control tokens."""
        path, (keys, tensors) = path or self.dir / "m.gguf", gguf.build(Model(vocabulary=VOCABULARY, context=CONTEXT, tokenizer="gpt2", seed=3))
        keys["tokenizer.ggml.tokens"] = (ARRAY, (STRING, [special.get(i, word(i)) for i in range(VOCABULARY)]))
        keys["tokenizer.ggml.token_type"] = (ARRAY, (I32, [3 if i in special else 1 for i in range(VOCABULARY)]))
        keys["tokenizer.ggml.merges"] = (ARRAY, (STRING, ["k k"]))  # of which no token comes
        del keys["tokenizer.ggml.bos_token_id"], keys["tokenizer.ggml.eos_token_id"]
        path.write_bytes(gguf.encode(keys | {f"tokenizer.ggml.{name}": value for name, value in changes.items()}, tensors))
        return path

    def compile(self, source, *flags):
        succeed("lpucc", source, "-o", self.dir / "m.lpx", *flags)
        return self.dir / "m.lpx"

    def generate(self, program, *args, prompt=PROMPT):
        return self.lpu_run(program, f"--tokens={ids(prompt)}", *args)

    def free(self, program, count=12):
        """What the model goes on with if nothing ends it."""
        return self.generate(program, "-n", count, "--ignore-eos")[0]["tokens"]

    def refuse(self, code, *args, said):
        done = run("lpu-run", *args)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (code, 1), done.stderr)
        self.assertIn(said, done.stderr)


class Ends(Generation):
    def test_every_end_token_of_a_gguf(self):
        tokens = self.free(self.compile(self.write()))
        end = next(i for i in range(2, 8) if tokens[i] not in tokens[:i])
        id = tokens[end]
        for name, model in (
                ("eos", dict(eos_token_id=(U32, id))),
                ("eot", dict(eos_token_id=(U32, 299), eot_token_id=(U32, id))),
                ("eom", dict(eos_token_id=(U32, 299), eom_token_id=(U32, id))),
                ("by its text", dict(eos_token_id=(U32, 299), special={id: "<|im_end|>"})),
                ("by another text", dict(special={id: "<end_of_turn>"}))):
            with self.subTest(name):
                program = self.compile(self.write(**model))
                report, _ = self.generate(program, "-n", 12)
                self.assertEqual(report["tokens"], tokens[:end + 1])
                self.assertEqual(report["finish_reason"], "end_token")
                self.assertEqual(report["text"], "".join(map(word, tokens[:end])))
                self.assertEqual(len(report["steps"]), 1 + end, "an end token is not fed")
                self.assertEqual(self.free(program), tokens)

    def test_lists_of_folders(self):
        folder = huggingface.Folder(Model(vocabulary=VOCABULARY, seed=3))
        path = self.dir / "hf"
        folder.write(path)
        tokens = self.free(self.compile(path))
        end = next(i for i in range(2, 8) if tokens[i] not in tokens[:i])
        (path / "generation_config.json").write_text(json.dumps({"eos_token_id": [299, tokens[end]]}))
        report, _ = self.generate(self.compile(path), "-n", 12)
        self.assertEqual((report["tokens"], report["finish_reason"]), (tokens[:end + 1], "end_token"))

    def test_stop_texts(self):
        program = self.compile(self.write())
        tokens = self.free(program)
        text = "".join(map(word, tokens))
        across = text[12:18]  # from the third word into the fourth
        first = text.index(across)
        for stops, at, reason in (([across], first, "stop_text"), (["nowhere", across], first, "stop_text"), ([word(tokens[0])], 0, "stop_text"),
                                  ([text[-5:] + "k"], len(text), "length"), (["zzz"], len(text), "length")):
            with self.subTest(stops):
                options = [f"--stop={stop}" for stop in stops]
                report, _ = self.generate(program, "-n", 12, "--ignore-eos", *options)
                self.assertEqual((report["text"], report["finish_reason"]), (text[:at], reason))
                end = len(text) if reason == "length" else at + len(stops[-1])
                self.assertEqual(report["tokens"], tokens[:math.ceil(end / 5)], "no step behind the text that ends it")
                done = succeed("lpu-run", program, f"--tokens={ids(PROMPT)}", "-n", 12, "--ignore-eos", *options)
                self.assertEqual(done.stdout, text[:at])

    def test_stop_texts_of_users(self):
        program = self.compile(self.write(), "--batch=2")
        others = [55, 210]
        ran, _ = self.lpu_run(program, f"--tokens={ids(PROMPT)}", f"--tokens={ids(others)}", "-n", 8, "--ignore-eos")
        texts = ["".join(map(word, user["tokens"])) for user in ran["users"]]
        stop = texts[0][8:13]
        self.assertNotIn(stop, texts[1])
        ran, _ = self.lpu_run(program, f"--tokens={ids(PROMPT)}", f"--tokens={ids(others)}", "-n", 8, "--ignore-eos", f"--stop={stop}")
        self.assertEqual([user["text"] for user in ran["users"]], [texts[0][:texts[0].index(stop)], texts[1]])
        self.assertEqual([user["finish_reason"] for user in ran["users"]], ["stop_text", "length"])
        self.assertEqual(ran["finish_reason"], "stop_text")


class Picking(Generation):
    def penalized(self, row, seen, penalty):
        row = row.copy()
        for id in set(seen):
            row[id] = row[id] / np.float32(penalty) if row[id] > 0 else row[id] * np.float32(penalty)
        return row

    def test_repeat_penalty(self):
        program = self.compile(self.write())
        free = self.free(program, 20)
        # Below 1 it rewards what was seen, which this model would seldom say again.
        for penalty, last, options in ((1.1, 64, ["--repeat-penalty=1.1"]), (0.2, 64, ["--repeat-penalty=0.2"]),
                                       (0.2, 3, ["--repeat-penalty=0.2", "--repeat-last-n=3"])):
            report, logits = self.generate(program, "-n", 20, *options)
            known = list(PROMPT)
            for row, token in zip(logits[len(PROMPT) - 1:], report["tokens"]):
                self.assertEqual(token, int(self.penalized(row, known[-last:], penalty).argmax()))
                known.append(token)
            self.assertEqual(report["tokens"] == free, penalty > 1)

    def test_min_p(self):
        program = self.compile(self.write())
        greedy = self.free(program)
        sampled = self.generate(program, "-n", 12, "--temperature=3", "--seed=5")[0]["tokens"]
        self.assertNotEqual(sampled, greedy)
        self.assertEqual(self.generate(program, "-n", 12, "--temperature=3", "--seed=5", "--min-p=1")[0]["tokens"], greedy)
        report, logits = self.generate(program, "-n", 20, "--temperature=1", "--seed=5", "--min-p=0.2")
        for row, token in zip(logits[len(PROMPT) - 1:], report["tokens"]):
            self.assertGreaterEqual(math.exp(row[token] - row.max()), 0.2 * (1 - 1e-4))

    def test_nothing_generated_has_no_end(self):
        program = self.compile(self.write())
        for options, reason in ((["-n", 1], "length"), (["-n", 0], None), (["-n", 3, "--mode=timing"], None)):
            self.assertEqual(self.generate(program, *options)[0]["finish_reason"], reason, options)

    def test_options_without_effect(self):
        program = self.compile(self.write())
        arguments = ["lpu-run", program, f"--tokens={ids(PROMPT)}", "-n", 2]
        done = succeed(*arguments, "--top-k=5", "--top-p=0.5")
        self.assertEqual(done.stderr.splitlines()[0], "lpu-run: note: --top-k and --top-p have no effect without a --temperature above 0, where "
                                                      "the likeliest token is taken")
        for options in ([], ["--top-k=5", "--temperature=1"]):
            self.assertNotIn("note", succeed(*arguments, *options).stderr)


class Prompts(Generation):
    SPECIAL = {297: "<s>", 298: "<|im_start|>", 299: "<think>"}

    def model(self):
        kinds = [1] * 297 + [3, 3, 4]
        return self.compile(self.write(special=self.SPECIAL, token_type=(ARRAY, (I32, kinds)), tokens=(ARRAY, (STRING, self.pieces()))))

    def pieces(self):
        """Bytes, as GPT-2 spells them, then words."""
        table = gguf.byte_alphabet()
        return [table[b] for b in range(256)] + [word(i) for i in range(256, 297)] + list(self.SPECIAL.values())

    def shown(self, program, *options):
        """(ids, pieces) of both listings."""
        lines = [line.split("  ", 1) for line in (l.strip() for l in succeed("lpu-run", program, *options, "--show-tokens").stdout.splitlines())]
        listed = json.loads(succeed("lpu-run", program, *options, "--show-tokens=json").stdout)
        self.assertEqual((listed["schema"], len(listed["prompts"])), ("lpu-token-list", 1))
        tokens = listed["prompts"][0]["tokens"]
        self.assertEqual([(str(t["id"]), t["piece"]) for t in tokens], [tuple(line) for line in lines])
        return [t["id"] for t in tokens], [t["piece"] for t in tokens], "".join(t["text"] for t in tokens)

    def test_special_tokens(self):
        program = self.model()
        text = "<|im_start|>u <think>"
        self.assertEqual(self.shown(program, "--prompt", text), ([*b"<|im_start|>u ", 299], [*"<|im_start|>uĠ", "<think>"], text))
        self.assertEqual(self.shown(program, "--prompt", text, "--special"),
                         ([298, ord("u"), ord(" "), 299], ["<|im_start|>", "u", "Ġ", "<think>"], "u <think>"))
        for options, expected in (([], [*b"<|im_start|>", 299]), (["--special"], [298, 299])):
            report, _ = self.lpu_run(program, "--prompt", "<|im_start|><think>", "-n", 1, *options)
            self.assertEqual(report["prompt_tokens"], expected)

    def test_showing_runs_nothing(self):
        program = self.model()
        report = self.dir / "none.json"
        done = succeed("lpu-run", program, "--tokens=1,299", "--tokens=65", "--show-tokens")
        self.assertEqual(done.stdout, "--- user 0 ---\n       1  ā\n     299  <think>\n--- user 1 ---\n      65  A\n")
        self.assertEqual(done.stderr, "")
        self.refuse(2, program, "--tokens=1", "--show-tokens", f"--report={report}", said="--show-tokens runs nothing")
        self.assertFalse(report.exists())
        self.refuse(1, program, "--tokens=1,5000", "--show-tokens", said="token 5000 (number 2 of --tokens)")
        self.refuse(2, program, "--prompt=a", "--show-tokens=xml", said="text or json, not 'xml'")

    def test_standard_input(self):
        program = self.model()
        command = [str(tools.bin_dir / "lpu-run"), str(program), "--prompt-file", "-"]
        done = subprocess.run([*command, "-n", "2", f"--report={self.dir / 'in.json'}"], input="two\nlines\n", capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(load_json(self.dir / "in.json")["prompt_tokens"], list(b"two\nlines\n"), "to the last byte")
        empty = subprocess.run(command, input="", capture_output=True, text=True)
        self.assertEqual((empty.returncode, empty.stderr.count("\n")), (1, 1), empty.stderr)
        self.assertIn("the prompt has no tokens", empty.stderr)

    def test_tokens_without_a_row(self):
        folder = self.dir / "hf"
        huggingface.Folder(Model(vocabulary=VOCABULARY)).write(folder)
        document = huggingface.byte_level_tokenizer(VOCABULARY)
        document["added_tokens"] = [{"id": VOCABULARY + 4, "content": "<pad>", "special": False, "normalized": False}]
        (folder / "tokenizer.json").write_text(json.dumps(document))
        program = self.compile(folder)
        self.refuse(1, program, "--prompt=a<pad>", said=f"token {VOCABULARY + 4} ('<pad>'), which has no row in the model's embedding")
        self.assertEqual(self.shown(program, "--prompt=a<pad>")[0], [ord("a"), VOCABULARY + 4])
        text = self.dir / "t.txt"
        text.write_text("a<pad>")
        self.refuse(1, program, f"--perplexity={text}", said=f"token {VOCABULARY + 4}, which has no row")


class Scoring(Generation):
    """The text is letters, of which each is a token."""

    def setUp(self):
        super().setUp()
        self.text = self.dir / "text.txt"

    def model(self, bos, **changes):
        pieces = [gguf.byte_alphabet()[b] for b in range(256)] + [word(i) for i in range(256, VOCABULARY)]
        keys = dict(bos_token_id=(U32, 299), add_bos_token=(BOOL, True)) if bos else {}
        return self.write(tokens=(ARRAY, (STRING, pieces)), special={299: "<s>"}, **(keys | changes))

    def write_text(self, count):
        random = np.random.default_rng(11)
        tokens = random.choice(list(b"abcdefgh"), count).tolist()
        self.text.write_text(bytes(tokens).decode())
        return tokens

    def expected(self, model, windows, first):
        """exp of the mean of −log p of the tokens from number `first` of each window on, in float64."""
        nll = []
        for window in windows:
            logits = self.interpret(model, window[:-1]).astype(np.float64)
            for i in range(first, len(window)):
                row = logits[i - 1]
                nll.append(np.log(np.exp(row - row.max()).sum()) + row.max() - row[window[i]])
        return math.exp(sum(nll) / len(nll)), len(nll)

    def check(self, model, windows, first, scored, *options):
        value, counted = self.expected(model, windows, first)
        program = self.compile(model)
        report, _ = self.lpu_run(program, "--perplexity", self.text, *options)
        self.assertAlmostEqual(report["perplexity"], value, places=6)
        self.assertEqual(report["scored"], {"windows": len(windows), "positions": CONTEXT, "counted_tokens": counted, **scored})
        done = succeed("lpu-run", program, "--perplexity", self.text, *options)
        self.assertRegex(done.stderr, rf"perplexity {value:.4f}: {len(windows)} windows? of up to {CONTEXT} positions, .*{counted} tokens")
        succeed("lpu-eval", model, f"--text={self.text}", f"--report={self.dir / 'e.json'}", *options)
        evaluation = load_json(self.dir / "e.json")
        self.assertAlmostEqual(evaluation["rows"][0]["perplexity"], value, places=6)
        self.assertEqual({key: evaluation[key] for key in ("windows", "positions", "begins_with_bos", "counting", "left_out_tokens")},
                         {key: report["scored"][key] for key in report["scored"] if key != "counted_tokens"})
        self.assertEqual(evaluation["tokens"], counted)

    def test_without_bos_as_llama_perplexity_counts(self):
        tokens = self.write_text(80)
        self.check(self.model(bos=False), [tokens[:32], tokens[32:64]], 17,
                   dict(begins_with_bos=False, counting="second-half", left_out_tokens=16))

    def test_bos_that_is_not_asked_for(self):
        tokens = self.write_text(70)
        model = self.model(bos=True, add_bos_token=(BOOL, False))
        self.check(model, [tokens[:33], tokens[32:65], tokens[64:]], 1, dict(begins_with_bos=False, counting="all", left_out_tokens=0), "--counting=all")

    def test_short_texts_without_bos(self):
        tokens = self.write_text(20)
        self.check(self.model(bos=False), [tokens], 1, dict(begins_with_bos=False, counting="all", left_out_tokens=0))

    def test_with_bos(self):
        tokens = self.write_text(70)
        model = self.model(bos=True)
        self.check(model, [[299, *tokens[:31]], [299, *tokens[31:62]], [299, *tokens[62:]]], 1,
                   dict(begins_with_bos=True, counting="all", left_out_tokens=0))
        self.check(model, [[299, *tokens[:31]], [299, *tokens[32:63]]], 17, dict(begins_with_bos=True, counting="second-half", left_out_tokens=7),
                   "--counting=second-half")

    def test_texts_that_cannot_be_scored(self):
        model = self.model(bos=False)
        program = self.compile(model)
        for text, options, said in (("", [], "text.txt: error: the text has no tokens; give at least one word"),
                                    ("a", [], "text.txt: error: the text has one token, and nothing before it predicts it"),
                                    ("ab" * 30, ["--counting=second-half"], "needs two windows of 32 tokens, and the text has 60")):
            self.text.write_text(text)
            self.refuse(1, program, "--perplexity", self.text, *options, said=said)
            done = run("lpu-eval", model, f"--text={self.text}", *options)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(said, done.stderr)


class Digests(Generation):
    def digest(self, report, logits):
        """As docs/spec/reports.md defines it."""
        numbers = [len(report["prompt_tokens"]), *report["prompt_tokens"], *report["tokens"]]
        return hashlib.sha256(np.array(numbers, "<i4").tobytes() + hashlib.sha256(logits.astype("<f4").tobytes()).digest()).hexdigest()

    def test_alone_in_chunks_and_in_a_batch(self):
        model = self.write()
        program = self.compile(model)
        report, logits = self.generate(program, "-n", 6, "--temperature=1", "--seed=9")
        digest = self.digest(report, logits)
        self.assertEqual(report["digest"], digest)
        done = succeed("lpu-run", program, f"--tokens={ids(PROMPT)}", "-n", 6, "--temperature=1", "--seed=9", "--engine=clocked")
        self.assertIn(f"ended by its length; digest {digest}\n", done.stderr)
        other, _ = self.generate(program, "-n", 6, "--temperature=1", "--seed=10")
        self.assertNotEqual(other["digest"], digest)
        timing = self.dir / "timing.json"
        succeed("lpu-run", program, f"--tokens={ids(PROMPT)}", "-n", 6, "--mode=timing", f"--report={timing}")
        self.assertIsNone(load_json(timing)["digest"])
        program = self.compile(model, "--batch=2")
        ran, _ = self.lpu_run(program, "--tokens=55,210", f"--tokens={ids(PROMPT)}", "-n", 6, "--temperature=1", "--seed=9")
        self.assertEqual(ran["users"][1]["digest"], digest)
        self.assertTrue(re.fullmatch(r"[0-9a-f]{64}", ran["digest"]))


if __name__ == "__main__":
    tools.main()
