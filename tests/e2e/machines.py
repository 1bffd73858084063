#!/usr/bin/python3
"""Machines other than the presets: whatever an architect changes in the YAML, values stay and predictions hold.

Each case changes one number of isa/arch/tsp1.yaml, compiles the embedded model for that machine and runs a prompt:
the legality check finds nothing, every step takes the predicted cycles, and the logits are those of the reference
interpreter, which knows no machine. What the mapping cannot do is refused by name.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import ROOT, TINY, Case, ids, load_json, np, run, succeed

PRESET = (ROOT / "isa" / "arch" / "tsp1.yaml").read_text()
PROMPT = [1, 413, 438, 261, 387, 300, 301, 302, 303, 304, 305, 306]
POSSIBLE = [
    ("superlanes", 3), ("superlanes", 32), ("slices_per_side", 28), ("slices_per_side", 60), ("slices_per_side", 140), ("slices_per_position", 8),
    ("rows_per_bank", 1024), ("alus", 20), ("activation_rows", 64), ("accumulator_rows", 64), ("barrier", 70),
    ("mem_read", 9), ("mem_write", 6), ("mem_gather", 20), ("mem_scatter", 9), ("vxm_simple", 2), ("vxm_simple", 7),
    ("vxm_special", 13), ("mxm_play", 80), ("mxm_emit", 3), ("mxm_load", 3), ("mxm_install", 4), ("mxm_load_weights", 3),
]
IMPOSSIBLE = [("alus", 12, "16 ALUs"), ("slices_per_side", 24, "12 for activations"), ("planes_per_side", 1, "two MXM planes"),
              ("slices_per_position", 2, "multiple of 4"), ("rows_per_bank", 3000, "power of two"),
              ("rows_per_bank", 64, "no --max-context is small enough")]


class Machines(Case):
    def machine(self, key, value):
        text, count = re.subn(rf"(?m)^(\s*{key}:\s*)\S+", rf"\g<1>{value}", PRESET)
        self.assertEqual(count, 1, key)
        path = self.dir / "machine.yaml"
        path.write_text(text)
        return path

    def test_changed_numbers(self):
        expected = self.interpret(TINY, PROMPT)
        lengths = {}
        for key, value in POSSIBLE:
            with self.subTest(key=key, value=value):
                program, report = self.dir / "m.lpx", self.dir / "m.json"
                succeed("lpucc", TINY, "-o", program, f"--target={self.machine(key, value)}", "--max-context=64", f"--report={report}")
                succeed("lpu-objdump", "--check", program)
                ran, logits = self.lpu_run(program, f"--tokens={ids(PROMPT)}", "-n", 0)
                self.assert_steps_as_predicted(ran)
                self.assert_same_bits(logits, expected)
                lengths[key, value] = next(p["predicted_cycles"] for p in load_json(report)["programs"] if p["kind"] == "decode")
        # Slower parts make slower programs.
        self.assertGreater(lengths["mxm_play", 80], lengths["barrier", 70])
        self.assertGreater(lengths["vxm_simple", 7], lengths["vxm_simple", 2])

    def test_int4_that_lw_expands(self):
        # The same values in half the bytes; words of the one machine are refused by the other.
        programs, reports, logits = {}, {}, {}
        for target in ("tsp1", "tsp1-int4"):
            programs[target], report = self.dir / f"{target}.lpx", self.dir / "m.json"
            succeed("lpucc", TINY, "-o", programs[target], f"--target={target}", "--weight-type=int4-group", "--max-context=64", f"--report={report}")
            succeed("lpu-objdump", "--check", programs[target])
            reports[target] = load_json(report)
            for engine in ("event", "clocked"):
                ran, logits[target, engine] = self.lpu_run(programs[target], f"--tokens={ids(PROMPT)}", "-n", 0, f"--engine={engine}")
                self.assert_steps_as_predicted(ran)
        expected = self.interpret(TINY, PROMPT, "--weight-type=int4-group")
        for values in logits.values():
            self.assert_same_bits(values, expected)
        weights = {target: report["memory"]["weights_bytes"] for target, report in reports.items()}
        self.assertLess(weights["tsp1-int4"], 0.75 * weights["tsp1"])  # the embedding and scales stay
        self.assertIn("packed=1", succeed("lpu-objdump", "--asm", programs["tsp1-int4"]).stdout)
        self.assertNotIn("packed=1", succeed("lpu-objdump", "--asm", programs["tsp1"]).stdout)

    def test_refused_by_name(self):
        for key, value, words in IMPOSSIBLE:
            with self.subTest(key=key, value=value):
                program = self.dir / "m.lpx"
                done = run("lpucc", TINY, "-o", program, f"--target={self.machine(key, value)}", "--chips=1")
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn("error:", done.stderr)
                self.assertIn(words, done.stderr)
                self.assertFalse(program.exists())


if __name__ == "__main__":
    tools.main()
