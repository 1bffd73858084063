#!/usr/bin/python3
"""Decode steps that feed several users: everyone gets the bits of a run of their own, at the predicted cycle."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import gguf
import tools
from tools import Case, ids, load_json, np, run, succeed

SMALL = dict(hidden=128, heads=4, kv_heads=2, head_dim=32, ffn=256, context=64)        # attention by sweeps
LARGE = dict(hidden=640, heads=8, kv_heads=2, head_dim=64, ffn=2900, context=512)      # swept, attention in tiles


class Batch(Case):
    def compile(self, model, users, *flags, context=64):
        path, program = self.dir / "m.gguf", self.dir / "m.lpx"
        if not path.exists():
            gguf.write(path, model)
        succeed("lpucc", path, "-o", program, f"--report={self.dir / 'm.json'}", f"--max-context={context}", f"--batch={users}", *flags)
        succeed("lpu-objdump", "--check", program)
        return path, program

    def prompts(self, model, lengths):
        random = np.random.default_rng(5)
        return [random.integers(0, model.vocabulary, n).tolist() for n in lengths]

    def check(self, model, users, lengths, *flags, context=64, count=4):
        path, program = self.compile(model, users, *flags, context=context)
        steps = load_json(self.dir / "m.json")["system"]["steps"]
        self.assertEqual({(s["kind"], s["tokens"], s["users"]) for s in steps}, {("decode", 1, users)})
        prompts = self.prompts(model, lengths)
        ran, logits = self.lpu_run(program, *(f"--tokens={ids(p)}" for p in prompts), "-n", count, "--ignore-eos")
        self.assert_steps_as_predicted(ran)
        self.assertEqual(len(ran["steps"]), max(lengths) + count - 1)
        self.assertEqual(ran["tokens"], ran["users"][0]["tokens"])
        at = 0
        for prompt, user in zip(prompts, ran["users"]):
            self.assertEqual(user["prompt_tokens"], prompt)
            self.assertEqual(len(user["tokens"]), count)
            alone = self.interpret(path, prompt + user["tokens"][:-1], *(f for f in flags if f.startswith("--kv-type")))
            self.assert_same_bits(logits[at:at + len(alone)], alone)
            self.assertEqual(user["tokens"], alone[len(prompt) - 1:].argmax(axis=1).tolist())
            at += len(alone)
        self.assertEqual(at, len(logits))
        return program, prompts, ran

    def test_attention_by_sweeps(self):
        program, prompts, ran = self.check(gguf.Model(layers=2, vocabulary=300, **SMALL), 3, [7, 2, 12])
        # Whoever ends early is idle; the others go on as they would.
        clocked, _ = self.lpu_run(program, *(f"--tokens={ids(p)}" for p in prompts), "-n", 4, "--ignore-eos", "--engine=clocked")
        self.assertEqual([u["tokens"] for u in clocked["users"]], [u["tokens"] for u in ran["users"]])
        self.assertEqual([s["simulated_cycles"] for s in clocked["steps"]], [s["simulated_cycles"] for s in ran["steps"]])

    def test_kinds_of_keys_and_values(self):
        for kind in ("int8", "fp16"):
            self.check(gguf.Model(layers=1, vocabulary=300, **SMALL), 2, [3, 5], f"--kv-type={kind}")

    def test_tiles(self):
        self.check(gguf.Model(layers=2, vocabulary=700, **LARGE), 3, [9, 30, 4])

    def test_tiles_in_int8(self):
        self.check(gguf.Model(layers=1, vocabulary=700, **LARGE), 8, [9, 3, 4, 1, 2, 6, 5, 7], "--kv-type=int8")

    def test_nine_users(self):
        # As many as both digits of pass in the time of a tile's load, and one more, whose planes share tiles.
        for users in (9, 10):
            self.check(gguf.Model(layers=1, vocabulary=300, **LARGE), users, [3] * users, count=2)

    def test_several_blocks_of_positions(self):
        self.check(gguf.Model(layers=1, vocabulary=300, **{**LARGE, "ffn": 640}), 2, [330, 322], "--kv-type=int8", context=400, count=2)

    def test_several_chips(self):
        self.check(gguf.Model(layers=2, vocabulary=700, **{**LARGE, "ffn": 5800}), 4, [5, 3, 2, 4], "--tp=2", "--pp=2")

    def test_biases(self):
        self.check(gguf.Model(architecture="qwen2", layers=1, vocabulary=300, **LARGE), 4, [4, 2, 3, 5])

    def test_fewer_prompts_than_users(self):
        model = gguf.Model(layers=1, vocabulary=300, **SMALL)
        path, program = self.compile(model, 4)
        prompt = self.prompts(model, [6])[0]
        ran, logits = self.lpu_run(program, f"--tokens={ids(prompt)}", "-n", 3, "--ignore-eos")
        self.assertEqual(len(ran["users"]), 1)
        self.assert_same_bits(logits, self.interpret(path, prompt + ran["tokens"][:-1]))

    def test_timing(self):
        model = gguf.Model(layers=1, vocabulary=300, **SMALL)
        _, program = self.compile(model, 2)
        functional, _ = self.lpu_run(program, "--tokens=1,2,3", "--tokens=4", "-n", 3, "--ignore-eos")
        report = self.dir / "timing.json"
        succeed("lpu-run", program, "--tokens=1,2,3", "--tokens=4", "-n", 3, "--ignore-eos", "--mode=timing", f"--report={report}")
        timing = load_json(report)
        for key in ("steps", "ttft_us", "tpot_us", "total_tokens_per_second"):
            self.assertEqual(timing[key], functional[key])

    def test_mistakes(self):
        model = gguf.Model(layers=1, vocabulary=300, **SMALL)
        _, program = self.compile(model, 2)
        text = self.dir / "t.txt"
        text.write_text("a")
        for args, part in ((["--tokens=1", "--tokens=2", "--tokens=3"], "3 prompts for a program that takes 2 at a time"),
                           ([f"--perplexity={text}"], "without --batch")):
            done = run("lpu-run", program, *args)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(part, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        done = run("lpucc", self.dir / "m.gguf", "-o", self.dir / "x.lpx", "--batch=500", "--max-context=64")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("take --batch=", done.stderr)
        self.assertFalse((self.dir / "x.lpx").exists())


if __name__ == "__main__":
    tools.main()
