#!/usr/bin/python3
"""How far the chip's results are from float: the figures the project promises.

Teacher-forced on each reference sequence: the best token agrees wherever the float logits' two best differ by more
than 2 % of their range, mean KL divergence is at most 0.01 nats, perplexity within 1 %. The embedded model is judged
by tests/support/llama_float.py and models/tiny/expected.json; stories260K by ../shared/models when it is there.
"""
import hashlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, load_json, np, succeed

import llama_float

MAX_DIVERGENCE, MAX_PERPLEXITY_ERROR = 0.01, 0.01
REFERENCE = tools.SHARED_MODELS / "reference.json"


class Accuracy(Case):
    def check_model(self, path, expected, text):
        self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), expected["sha256"],
                         f"the reference figures are of another {path.name}")
        program = self.dir / "model.lpx"
        succeed("lpucc", path, "-o", program)
        self.assertEqual(len(expected["greedy"]), 8)
        self.check_sequences(path, program, llama_float.Llama(path), expected["greedy"])
        report = self.check_perplexity(program, text, expected["perplexity"])
        self.assert_steps_as_predicted(report)

    def check_sequences(self, path, program, model, sequences):
        divergences, sure = [], 0
        for i, sequence in enumerate(sequences):
            self.check_prompt(program, sequence, i)
            fed = sequence["prompt_tokens"] + sequence["tokens"]
            report, logits = self.lpu_run(program, f"--tokens={ids(fed)}", "-n", 0)
            self.assert_steps_as_predicted(report)
            reference = model.logits(fed)
            self.check_reference(reference, sequence)
            self.check_float(self.interpret(path, fed, "--float"), reference)
            self.assertEqual(logits.shape, reference.shape)
            wrong, clear = llama_float.disagreements(reference, logits)
            self.assertEqual(wrong, 0, sequence["prompt"])
            sure += clear
            divergences.append(llama_float.divergence(reference, logits))
            self.assertLessEqual(divergences[-1], MAX_DIVERGENCE, sequence["prompt"])
        self.assertGreater(sure, 100, "hardly any position was decided: the comparison says nothing")
        print(f"\n  {sure} clear positions, mean KL {np.mean(divergences):.6f}", file=sys.stderr)

    def check_reference(self, logits, sequence):
        """The float implementation used here chooses the tokens the published reference chose."""
        at = len(sequence["prompt_tokens"]) - 1
        clear = np.array(sequence["gaps"]) > 0.01
        chosen = logits[at:at + len(clear)].argmax(1)
        self.assertEqual(chosen[clear].tolist(), np.array(sequence["tokens"])[clear].tolist())

    def check_float(self, logits, reference):
        """The project's float reference computes the same, to float accuracy."""
        self.assertEqual(logits.shape, reference.shape)
        self.assertLess(np.abs(logits - reference).max(), 1e-4 * np.abs(reference).max())

    def check_prompt(self, program, sequence, index):
        report, _ = self.lpu_run(program, f"--prompt={sequence['prompt']}", "-n", 0, name=f"prompt{index}")
        self.assertEqual(report["prompt_tokens"], sequence["prompt_tokens"])

    def check_perplexity(self, program, text, expected):
        report, _ = self.lpu_run(program, "--perplexity", text)
        print(f"  perplexity {report['perplexity']:.4f}, float {expected:.4f}", file=sys.stderr)
        self.assertAlmostEqual(report["perplexity"] / expected, 1, delta=MAX_PERPLEXITY_ERROR)
        self.assertEqual(report["tokens"], [])
        return report

    def test_embedded_model(self):
        folder = tools.TINY.parent
        self.check_model(tools.TINY, load_json(folder / "expected.json")["model.gguf"], folder / "eval-text.txt")

    def check_shared(self, name):
        if not REFERENCE.exists():
            self.skipTest(f"{REFERENCE} is not there")
        self.check_model(tools.SHARED_MODELS / name, load_json(REFERENCE)[name], tools.SHARED_MODELS / "stories-text.txt")

    def test_stories_q8_0(self):
        self.check_shared("stories260K-q8_0.gguf")

    def test_stories_f32(self):
        self.check_shared("stories260K-f32.gguf")


if __name__ == "__main__":
    tools.main()
