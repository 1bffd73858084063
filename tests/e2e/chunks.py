#!/usr/bin/python3
"""Chunks of a prompt: steps whose digits wait in memory give the bits of steps of one token, on one chip and on several."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import gguf
import tools
from tools import Case, ids, load_json, np, succeed

TOKENS = 19  # of a chunk of tsp1: row groups of a tile less one
LARGE = dict(hidden=640, heads=8, kv_heads=2, head_dim=64, ffn=2900, context=512)  # swept, attention in tiles


class Chunks(Case):
    def check(self, model, *flags, length=45, target="tsp1", tokens=TOKENS, context=64, contexts=(64,)):
        path, program, report = self.dir / "m.gguf", self.dir / "m.lpx", self.dir / "m.json"
        if not path.exists():
            gguf.write(path, model)
        succeed("lpucc", path, "-o", program, f"--target={target}", f"--report={report}", f"--max-context={context}", *flags)
        steps = load_json(report)["system"]["steps"]
        self.assertEqual([(s["tokens"], s["context"]) for s in steps if s["kind"] == "prefill"], [(tokens, c) for c in contexts])
        succeed("lpu-objdump", "--check", program)
        prompt = np.random.default_rng(1).integers(0, model.vocabulary, length).tolist()
        ran, logits = self.lpu_run(program, f"--tokens={ids(prompt)}", "-n", 3, "--ignore-eos")
        self.assert_steps_as_predicted(ran)
        self.assertIn(tokens, [s["tokens"] for s in ran["steps"]])
        self.assert_same_bits(logits, self.interpret(path, prompt + ran["tokens"][:-1], *(f for f in flags if f.startswith("--kv-type"))))
        return ran

    def test_one_chip(self):
        self.check(gguf.Model(layers=2, vocabulary=700, **LARGE))

    def test_biases(self):
        self.check(gguf.Model(architecture="qwen2", layers=1, vocabulary=300, **LARGE))

    def test_a_group_of_chips(self):
        # Digits and residual are gathered, a piece of each token at a time.
        self.check(gguf.Model(layers=1, vocabulary=700, **{**LARGE, "ffn": 5800}), "--tp=2")

    def test_stages(self):
        self.check(gguf.Model(layers=2, vocabulary=700, **LARGE), "--pp=2")

    def test_both_buckets(self):
        # With int8 caches the scores of two parts of a chunk are under way at once.
        ran = self.check(gguf.Model(layers=1, vocabulary=300, **LARGE), "--kv-type=int8", length=350, context=512, contexts=(320, 512))
        self.assertLessEqual({"prefill_19x320", "prefill_19x512"}, {s["program"] for s in ran["steps"]})

    def test_more_queries_of_a_key_than_tokens(self):
        self.check(gguf.Model(layers=1, vocabulary=300, **{**LARGE, "heads": 16, "kv_heads": 1}))

    def test_phases_overlap(self):
        self.check(gguf.Model(layers=2, vocabulary=700, **LARGE), "--pp=2")
        chunk = next(p for p in load_json(self.dir / "m.json")["programs"] if p["kind"] == "prefill" and p["phases"][0]["name"] == "receive residual")
        names = [p["name"].split(": ")[-1] for p in chunk["phases"]]
        self.assertEqual(names[1:8], ["attention norm", "qkv", "attention", "attention output", "ffn norm", "ffn gate, up", "ffn down"])
        self.assertEqual(sum(p["cycles"] for p in chunk["phases"]) + 19, chunk["predicted_cycles"]) # superlanes − 1 behind the last

    def test_choices_of_a_file(self):
        # Shorter chunks, and linears that cost would have dealt otherwise: other programs, the same bits.
        mapping = self.dir / "m.yaml"
        for tokens, forms in ((10, {"qkv": "pinned", "attention-output": "dealt"}), (14, {"qkv": "dealt", "lm-head": "dealt"})):
            mapping.write_text("linears:\n" + "".join(f"  {group}: {{form: {form}}}\n" for group, form in forms.items())
                               + f"prefill: {{tokens: {tokens}}}\n")
            self.check(gguf.Model(layers=1, vocabulary=700, **LARGE), f"--mapping={mapping}", tokens=tokens)
            chosen = {m["group"]: m["form"] for m in load_json(self.dir / "m.json")["mapping"] if m["chosen_by"] == "file"}
            self.assertEqual(chosen, forms)
        mapping.write_text("prefill:\n  tokens: 9\n")
        failed = tools.run("lpucc", self.dir / "m.gguf", "-o", self.dir / "no.lpx", f"--mapping={mapping}", "--max-context=64")
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, r"m\.yaml:2: error: key 'tokens' is 9; take \d+ or less, or from 10 to 19")

    def test_nearly_full_chip(self):
        # Weights and caches take more than eight tenths of memory: scratch objects share rows.
        shallow = self.dir / "shallow.yaml"
        text = (tools.ROOT / "isa/arch/tsp1.yaml").read_text()
        shallow.write_text(text.replace("rows_per_bank: 4096", "rows_per_bank: 512").replace("name: tsp1", "name: shallow"))
        self.check(gguf.Model(layers=3, vocabulary=300, **{**LARGE, "ffn": 2950}), "--chips=1", target=shallow)
        memory = load_json(self.dir / "m.json")["memory"]
        self.assertGreater(memory["weights_bytes"] + memory["kv_bytes"], 0.8 * memory["capacity_bytes"])


if __name__ == "__main__":
    tools.main()
