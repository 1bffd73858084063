#!/usr/bin/python3
"""lpu-eval: its figures are those of lpu-run and of the float references, whichever way values are computed."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, load_json, run, succeed

TEXT = tools.TINY.parent / "eval-text.txt"
KEYS = ["weights", "activations", "kv", "perplexity", "float_perplexity", "kl", "top1_agreement", "weights_bytes", "chips",
        "cycles_per_token", "tokens_per_second"]


class Evaluation(Case):
    def evaluate(self, model, text, *args):
        report = self.dir / "evaluation.json"
        done = succeed("lpu-eval", model, f"--text={text}", f"--report={report}", *args)
        return load_json(report), done.stdout

    def test_figures_are_those_of_the_other_tools(self):
        report, table = self.evaluate(tools.TINY, TEXT)
        self.assertEqual([list(row) for row in report["rows"]], [KEYS])
        row = report["rows"][0]
        program, compiled = tools.compiled_tiny()
        ran, logits = self.lpu_run(program, "--perplexity", TEXT)
        self.assertAlmostEqual(row["perplexity"], ran["perplexity"], places=9)
        expected = load_json(tools.TINY.parent / "expected.json")["model.gguf"]
        self.assertAlmostEqual(row["float_perplexity"] / expected["perplexity"], 1, places=5)
        self.assertEqual(row["weights_bytes"], compiled["memory"]["weights_bytes"])
        self.assertIn(f"{row['perplexity']:.4f}", table)

    def test_simulator_and_interpreter_agree(self):
        text = self.dir / "text.txt"
        text.write_text("Once upon a time there was a dog. The dog had a big red ball and liked to play.")
        few = ("--max-context=64", "--max-tokens=20")
        interpreted, _ = self.evaluate(tools.TINY, text, *few)
        simulated, _ = self.evaluate(tools.TINY, text, "--on=simulator", *few)
        self.assertEqual(interpreted["tokens"], 20)
        self.assertEqual(simulated["on"], "simulator")
        self.assertEqual(interpreted["rows"], simulated["rows"])

    def test_windows_are_as_long_as_the_context(self):
        report, _ = self.evaluate(tools.TINY, TEXT, "--max-context=64", "--max-tokens=100")
        self.assertEqual(report["tokens"], 100)
        programs = {p["context"]: p for p in tools.compiled_tiny()[1]["programs"] if p["kind"] == "decode"}
        self.assertEqual(round(report["rows"][0]["cycles_per_token"]), programs[64]["predicted_cycles"])

    def test_mistakes(self):
        for args, code, message in [
                ((tools.TINY, f"--text={TEXT}", "--config=int8"), 2, "--config 'int8'"),
                ((tools.TINY,), 2, "--text is required"),
                ((tools.TINY, f"--text={TEXT}", "--on=moon"), 2, "--on"),
                ((tools.TINY, f"--text={self.dir / 'none'}"), 1, "none: error: cannot read"),
                ((self.dir / "none.gguf", f"--text={TEXT}"), 1, "none.gguf: error: cannot be opened"),
                ((tools.TINY, f"--text={TEXT}", "--config=int9/a16/int16"), 1, "--weight-type: error: 'int9'"),
                ((tools.TINY, f"--text={TEXT}", "--config=int8/a1/int16"), 1, "--activation-type: error: 'a1'"),
                ((tools.TINY, f"--text={TEXT}", "--config=int8/a16/x"), 1, "--kv-type: error: 'x'"),
                ((tools.TINY, f"--text={TEXT}", f"--report={self.dir / 'no' / 'r.json'}"), 1, "cannot write")]:
            done = run("lpu-eval", *args)
            self.assertEqual(done.returncode, code, (args, done.stderr))
            self.assertIn(message, done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)


if __name__ == "__main__":
    tools.main()
