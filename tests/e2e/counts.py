#!/usr/bin/python3
"""What the compiler counts in its schedule is what the simulator counts as it runs, to the last byte.

For every step of every run: both engines, both modes, one chip and several, threads, batches, prompts in chunks.
Other scripts hold the same for their models (tools.Case.lpu_run).
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, load_json, run, succeed

ARCH = tools.ROOT / "models" / "arch"
WAYS = [[], ["--mode=timing"], ["--engine=clocked"], ["--engine=clocked", "--mode=timing"]]


class Counts(Case):
    def compiled(self, *args):
        """(program, report) of the embedded model."""
        program, report = self.dir / "m.lpx", self.dir / "m.json"
        succeed("lpucc", tools.TINY, "-o", program, f"--report={report}", *args)
        return program, load_json(report)

    def check(self, program, compiled, *args):
        """Steps run by name."""
        counted = {s["name"]: s["counts"] for s in compiled["system"]["steps"]}
        path = self.dir / "run.json"
        succeed("lpu-run", program, *args, f"--report={path}")
        steps = load_json(path)["steps"]
        self.assertTrue(steps)
        for step in steps:
            self.assertEqual(step["counts"], counted[step["program"]], step["program"])
        return {step["program"] for step in steps}

    def test_one_chip(self):
        program, compiled = self.compiled("--max-context=64")
        for way in WAYS:
            used = self.check(program, compiled, "--prompt", "Once upon a time there was a big dog", "-n", 3,
                              "--ignore-eos", *way)
            self.assertEqual(used, {"prefill_8x64", "decode_64"})

    def test_several_chips(self):
        program, compiled = self.compiled("--max-context=64", "--tp=2", "--pp=2")
        step = compiled["system"]["steps"][0]["counts"]
        self.assertGreater(sum(step["vectors_sent"].values()), 0)
        self.assertEqual(sum(step["vectors_sent"].values()), sum(step["vectors_received"].values()))
        for way in WAYS + [["--threads=2"]]:
            self.check(program, compiled, "--prompt", "Once upon a time", "-n", 2, "--ignore-eos", *way)

    def test_a_step_is_the_sum_of_its_chips(self):
        _, compiled = self.compiled("--max-context=64", "--tp=2", "--pp=2")
        for step in compiled["system"]["steps"]:
            programs = [p for p in compiled["programs"] if p["name"] == step["name"]]
            for key, value in step["counts"].items():
                if isinstance(value, int):
                    self.assertEqual(value, sum(p["chips"] * p["counts"][key] for p in programs), key)
            for program in programs:
                superlanes = 20
                self.assertEqual(program["counts"]["superlane_cycles"], superlanes * program["predicted_cycles"])

    def test_a_batch(self):
        program, compiled = self.compiled("--max-context=64", "--batch=3")
        self.check(program, compiled, "--prompt", "Once", "--prompt", "The dog", "-n", 2, "--ignore-eos")


class Scope(Case):
    """lpucc --steps, --bounds-only and --threads."""

    def compile(self, *args, name="m"):
        program, report = self.dir / f"{name}.lpx", self.dir / f"{name}.json"
        succeed("lpucc", tools.TINY, "--max-context=128", "-o", program, f"--report={report}", *args)
        return load_json(report)

    @staticmethod
    def programs(report):
        return {p["name"]: (p["predicted_cycles"], p["counts"]) for p in report["programs"]}

    def test_steps_are_those_of_the_whole(self):
        """Steps share the chip's memory, so where things lie may differ without the others, and with it a few cycles."""
        whole = self.programs(self.compile())
        for words, names in [("decode", {"decode_64", "decode_128"}), ("prefill", {"prefill_8x64", "prefill_8x128"}),
                             ("decode_64,prefill_8x128", {"decode_64", "prefill_8x128"})]:
            some = self.programs(self.compile(f"--steps={words}", name="some"))
            self.assertEqual(set(some), names)
            for name, (cycles, counts) in some.items():
                self.assertAlmostEqual(cycles / whole[name][0], 1, delta=0.01, msg=name)
                self.assertEqual(counts["products_int8"], whole[name][1]["products_int8"], name)

    def test_decode_alone_runs(self):
        self.compile("--steps=decode")
        report, _ = self.lpu_run(self.dir / "m.lpx", "--prompt", "Once upon a time", "-n", 3, "--ignore-eos")
        self.assertEqual({s["kind"] for s in report["steps"]}, {"decode"})

    def test_a_step_that_is_not_there(self):
        done = run("lpucc", tools.TINY, "-o", self.dir / "m.lpx", "--max-context=64", "--steps=decode,decode_65")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"{tools.TINY}: error: has no step 'decode_65' to compile (--steps); its steps are "
                                      "decode_64, prefill_8x64\n")
        self.assertFalse((self.dir / "m.lpx").exists())

    def test_bounds_are_those_of_the_schedule(self):
        whole = self.compile("--tp=2", "--pp=2")
        path = self.dir / "bounds.json"
        succeed("lpucc", tools.TINY, "--max-context=128", "--tp=2", "--pp=2", "--bounds-only", f"--report={path}")
        bounds = load_json(path)
        self.assertTrue(bounds["bounds_only"])
        self.assertNotIn("token_latency_cycles", bounds["system"])
        for a, b in zip(whole["programs"], bounds["programs"], strict=True):
            self.assertNotIn("predicted_cycles", b)
            for key in ["name", "chip_class", "lower_bound_cycles", "resource_bound_cycles", "critical_path_cycles",
                        "weight_stream_bound_cycles"]:
                self.assertEqual(a[key], b[key])
        for a, b in zip(whole["system"]["steps"], bounds["system"]["steps"], strict=True):
            self.assertEqual(a["lower_bound_cycles"], b["lower_bound_cycles"])

    def test_bounds_write_a_report_and_nothing_else(self):
        for extra in [[], ["-o", self.dir / "m.lpx", f"--report={self.dir / 'r.json'}"]]:
            done = run("lpucc", tools.TINY, "--bounds-only", *extra)
            self.assertEqual(done.returncode, 2)
            self.assertIn("only a report is written; give --report and no --output", done.stderr)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_reports_name_their_build(self):
        compiled = self.compile("--steps=decode_64")
        again = self.compile("--steps=decode_64", name="again")
        self.assertRegex(compiled["build"], "^[0-9a-f]{16}$")
        self.assertEqual(compiled["build"], again["build"])
        report, _ = self.lpu_run(self.dir / "m.lpx", "--prompt", "Once", "-n", 1)
        self.assertRegex(report["host"]["build"], "^[0-9a-f]{16}$")
        self.assertNotEqual(report["host"]["build"], compiled["build"])

    def test_threads_change_nothing(self):
        self.compile("--threads=1", name="one")
        self.compile("--threads=3", name="three")
        self.assert_same_file(self.dir / "one.lpx", self.dir / "three.lpx")


if __name__ == "__main__":
    tools.main()
