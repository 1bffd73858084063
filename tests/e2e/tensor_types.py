#!/usr/bin/python3
"""What GGUF files vary in, through the whole chain: tensor types, all mixed in one file, and scaled rope.

A mixed file and one with the same values in F32 must give the same logits, bit for bit: the chip's weights come from
the values, whatever held them. Simulator and reference interpreter agree as for any other model.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, succeed

import gguf
import gguf_blocks

PROMPT = [3, 99, 17, 64, 127, 0, 5]


class TensorTypes(Case):
    def files(self, kinds, **shape):
        """Paths of the mixed file and of its twin in F32."""
        model = gguf.Model(hidden=256, heads=4, kv_heads=2, ffn=512, vocabulary=128, context=32, **shape)
        keys, mixed, floats = gguf_blocks.mixed_model(model, kinds)
        self.assertEqual({t.kind for t in mixed if len(t.shape) > 1}, {gguf_blocks.KINDS[k] for k in kinds})
        paths = self.dir / "mixed.gguf", self.dir / "float.gguf"
        for path, tensors in zip(paths, (mixed, floats)):
            path.write_bytes(gguf.encode(keys, tensors))
        return paths

    def test_all_types_in_one_file(self):
        mixed, floats = self.files(list(gguf_blocks.KINDS), layers=2)
        program = self.dir / "m.lpx"
        succeed("lpucc", mixed, "-o", program)
        report, logits = self.lpu_run(program, f"--tokens={ids(PROMPT)}", "-n", 3, "--ignore-eos")
        self.assert_steps_as_predicted(report)
        fed = PROMPT + report["tokens"][:-1]
        self.assert_same_bits(logits, self.interpret(mixed, fed))
        self.assert_same_bits(logits, self.interpret(floats, fed))

    def test_each_type_alone(self):
        for kind in gguf_blocks.KINDS:
            with self.subTest(kind):
                mixed, floats = self.files([kind])
                logits = self.interpret(mixed, PROMPT)
                self.assertGreater(float(logits.std()), 0)
                self.assert_same_bits(logits, self.interpret(floats, PROMPT))


class RopeScaling(Case):
    def test_linear_scaling_equals_divisors_and_runs_as_interpreted(self):
        keys, tensors = gguf.build(gguf.Model(context=32))
        divisors = gguf.tensor("rope_freqs.weight", [4.0] * 8, gguf.TYPE_F32)
        scaling = {"llama.rope.scaling.type": (gguf.STRING, "linear"), "llama.rope.scaling.factor": (gguf.F32, 4.0)}
        plain, scaled, divided, program = (self.dir / n for n in ("p.gguf", "s.gguf", "d.gguf", "s.lpx"))
        plain.write_bytes(gguf.encode(keys, tensors))
        scaled.write_bytes(gguf.encode(keys | scaling, tensors))
        divided.write_bytes(gguf.encode(keys, [*tensors, divisors]))
        succeed("lpucc", scaled, "-o", program)
        report, logits = self.lpu_run(program, f"--tokens={ids(PROMPT)}", "-n", 1, "--ignore-eos")
        self.assert_steps_as_predicted(report)
        self.assert_same_bits(logits, self.interpret(scaled, PROMPT))
        self.assert_same_bits(logits, self.interpret(divided, PROMPT))
        self.assertTrue((logits[1:] != self.interpret(plain, PROMPT)[1:]).any())


if __name__ == "__main__":
    tools.main()
