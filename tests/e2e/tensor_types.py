#!/usr/bin/python3
"""Every tensor type of GGUF through the whole chain, mixed in one file.

The mixed file and one with the same values in F32 must give the same logits, bit for bit: the chip's weights come from
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


if __name__ == "__main__":
    tools.main()
