#!/usr/bin/python3
"""Families of models beside Llama: random ones of each, from GGUF files and folders, through the whole chain.

Of each: logits near a float implementation (tests/support/llama_float.py), with int8 weights and in fp16; the chip's
are those of lpu-interpret bit for bit; every step takes the predicted cycles.
"""
import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, np, run, succeed

import gguf
import huggingface
import llama_float
from gguf import Model
from huggingface import Folder

INT8_ERROR, HALF_ERROR = 0.03, 0.002  # of the logits, relative to their spread
DEEP_ERROR = 0.09  # of four wide layers and more with int8 weights: a Llama of the same sizes has 0.05 to 0.07
HALF = ("--weight-type=fp16", "--activation-type=fp16")
SWEPT = dict(hidden=640, heads=8, kv_heads=2, head_dim=64, ffn=2900, vocabulary=300, context=512)  # attention in tiles, chunks


class Family(Case):
    def check(self, model, *flags, length=20, error=INT8_ERROR, same=(), context=0):
        """Of the model as a GGUF file; `same` are the flags that the interpreter takes as well."""
        path, program = self.dir / "m.gguf", self.dir / "m.lpx"
        gguf.write(path, model)
        succeed("lpucc", path, "-o", program, *flags, *same)
        succeed("lpu-objdump", "--check", program)
        prompt = np.random.default_rng(model.seed).integers(0, model.vocabulary, length).tolist()
        report, logits = self.lpu_run(program, f"--tokens={ids(prompt)}", "-n", 4, "--ignore-eos")
        self.assert_steps_as_predicted(report)
        fed = prompt + report["tokens"][:-1]
        self.assert_same_bits(logits, self.interpret(path, fed, *same))
        reference = llama_float.Llama(path, context).logits(fed)
        self.assertLessEqual(np.linalg.norm(logits - reference) / np.linalg.norm(reference), error)
        self.check_float(self.interpret(path, fed, "--float", *(flag for flag in same if "context" in flag)), reference)
        return report

    def check_float(self, logits, reference):
        self.assertLess(np.abs(logits - reference).max(), 1e-4 * np.abs(reference).max())

    def check_half(self, model):
        self.check(model, same=HALF, error=HALF_ERROR)

    def check_folder(self, folder, **twin):
        """Logits of a folder and of the GGUF file of the same weights are the same."""
        path, file = self.dir / "model", self.dir / "twin.gguf"
        huggingface.twin(file, folder.model, folder.write(path), **twin)
        prompt = [3, 99, 17, 64, 127, 0, 5]
        logits = self.interpret(path, prompt)
        self.assertGreater(float(logits.std()), 0.1)
        self.assert_same_bits(logits, self.interpret(file, prompt))


class Halves:
    """Of a family's SMALL model in fp16."""

    def test_half(self):
        self.check_half(self.SMALL)


class Kinds:
    """Of a family's SMALL model with every kind of keys and values."""

    def test_kinds_of_keys_and_values(self):
        for kind in ("int8", "fp16"):
            with self.subTest(kind):
                self.check(self.SMALL, same=(f"--kv-type={kind}",), error=2 * INT8_ERROR)


class Users:
    """Of a family's SMALL model for several users."""

    def test_users(self):
        path, program = self.dir / "m.gguf", self.dir / "m.lpx"
        gguf.write(path, self.SMALL)
        succeed("lpucc", path, "-o", program, "--batch=3")
        succeed("lpu-objdump", "--check", program)


class Qwen3(Halves, Kinds, Users, Family):
    SMALL = Model(architecture="qwen3", layers=2, head_dim=32, kind="f16")

    def test_heads_apart_from_hidden(self):
        self.check(self.SMALL)

    def test_tied_of_blocks(self):
        self.check(Model(architecture="qwen3", layers=2, hidden=96, heads=6, kv_heads=2, head_dim=64, tied=True), same=("--weight-type=int8-group",))

    def test_tiles(self):
        self.check(Model(architecture="qwen3", hidden=256, heads=4, kv_heads=2, head_dim=128, ffn=256, context=512), length=340)

    def test_chunks_of_a_prompt(self):
        report = self.check(Model(architecture="qwen3", layers=1, **SWEPT), "--max-context=64", length=45)
        self.assertIn(19, [step["tokens"] for step in report["steps"]])

    def test_several_chips(self):
        for flags in (("--tp=2",), ("--pp=2",)):
            with self.subTest(flags):
                self.check(self.SMALL, *flags)

    def test_chunks_on_several_chips(self):
        self.check(Model(architecture="qwen3", layers=2, **SWEPT | {"ffn": 5800}), "--max-context=64", "--tp=2", "--pp=2", length=45)

    def test_folder(self):
        self.check_folder(Folder(Model(architecture="qwen3", layers=2, head_dim=32, tied=True), kind="BF16"))


class Phi3(Family):
    FACTORS = tuple(float(f) for f in np.float32(1 + np.arange(12) / 7))  # of 24 of 32 elements of a head
    LONG = Model(architecture="phi3", layers=2, hidden=128, heads=4, kv_heads=2, rotary=24, short_factors=FACTORS, original=40,
                 context=160, kind="f16")

    def test_fused(self):
        self.check(Model(architecture="phi3", layers=2))

    def test_heads_of_96(self):
        self.check(Model(architecture="phi3", hidden=192, heads=2, kv_heads=2, ffn=200))

    def test_tiles_of_heads_of_96_and_blocks(self):
        self.check(Model(architecture="phi3", hidden=384, heads=4, kv_heads=2, ffn=256, context=512), same=("--weight-type=int8-group",), length=340)

    def test_part_of_a_head_turns(self):
        model = Model(architecture="phi3", hidden=256, heads=4, kv_heads=2, head_dim=64, rotary=48, ffn=256, context=512, tied=True)
        self.check(model, length=30)

    def test_original_context_to_its_end(self):
        self.check(self.LONG, length=36, same=("--max-context=40",), context=40)

    def test_beyond_the_original_context(self):
        self.check(dataclasses.replace(self.LONG, seed=2), length=60)

    def test_half(self):
        self.check_half(self.LONG)

    def test_several_chips(self):
        self.check(self.LONG, "--tp=2")

    def test_folder(self):
        self.check_folder(Folder(self.LONG, kind="F16"))

    def test_folder_of_four_bits(self):
        self.check_folder(Folder(Model(architecture="phi3"), kind="F16", form="gptq"))

    def test_other_families_turn_whole_heads(self):
        gguf.write(self.dir / "m.gguf", Model(rotary=8))
        done = run("lpucc", self.dir / "m.gguf", "-o", self.dir / "m.lpx")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("rope over a part of each head is not supported", done.stderr)


class Granite(Halves, Family):
    SMALL = Model(architecture="granite", layers=2, tied=True, kind="f16", multipliers=(12.0, 0.25, 0.1, 8.0))

    def test_multipliers(self):
        self.check(self.SMALL)

    def test_kinds_of_keys_and_values(self):
        self.check(self.SMALL, same=("--kv-type=int8",), error=2 * INT8_ERROR)

    def test_tiles_on_several_chips(self):
        model = Model(architecture="granite", layers=2, hidden=256, heads=4, kv_heads=2, head_dim=128, ffn=256, context=512,
                      multipliers=(6.0, 0.22, 0.05, 4.0))
        self.check(model, "--tp=2", "--pp=2", length=30)

    def test_folder(self):
        self.check_folder(Folder(self.SMALL, kind="F16"))


class SmolLM3(Halves, Family):
    SMALL = Model(architecture="smollm3", layers=4, tied=True, kind="f16")

    def test_layers_without_rope(self):
        self.check(self.SMALL)

    def test_fp16_keys(self):
        self.check(self.SMALL, same=("--kv-type=fp16",))

    def test_tiles_on_stages_that_differ(self):
        # Of the stages between, one has a layer without rope, the other none.
        model = Model(architecture="smollm3", layers=8, hidden=256, heads=4, kv_heads=2, head_dim=128, ffn=256, context=512)
        self.check(model, "--tp=2", "--pp=4", length=30, error=DEEP_ERROR)

    def test_chunks_of_a_prompt(self):
        self.check(Model(architecture="smollm3", layers=4, **SWEPT), "--max-context=64", length=45, error=DEEP_ERROR)

    def test_folder(self):
        self.check_folder(Folder(self.SMALL, kind="BF16"))
        self.check_folder(Folder(self.SMALL, kind="BF16", config={"no_rope_layers": None, "no_rope_layer_interval": 4}))


class Olmo2(Halves, Kinds, Users, Family):
    SMALL = Model(architecture="olmo2", layers=2, hidden=64, heads=4, kv_heads=4, kind="f16")

    def test_norms_of_branches_alone(self):
        self.check(self.SMALL)

    def test_keys_that_queries_share(self):
        self.check(Model(architecture="olmo2", layers=2, hidden=96, heads=6, kv_heads=2, head_dim=48, kind="f16"))

    def test_tiles(self):
        self.check(Model(architecture="olmo2", hidden=256, heads=4, kv_heads=2, head_dim=128, ffn=256, context=512), length=340)

    def test_chunks_of_a_prompt(self):
        self.check(Model(architecture="olmo2", layers=1, **SWEPT), "--max-context=64", length=45)

    def test_stages(self):
        self.check(self.SMALL, "--pp=2")

    def test_folder(self):
        self.check_folder(Folder(self.SMALL, kind="BF16"))


class Gemma3(Halves, Kinds, Users, Family):
    SMALL = Model(architecture="gemma3", layers=6, hidden=64, heads=4, kv_heads=2, head_dim=32, kind="f16", tied=True, window=12,
                  rope_base=1e6, rope_scale=8.0, eps=1e-6)
    WIDE = dict(hidden=256, heads=4, kv_heads=2, head_dim=256, ffn=256, context=512, tied=True, eps=1e-6, rope_base=1e6)

    def test_beyond_the_window(self):
        self.check(self.SMALL, length=40)

    def test_within_the_window(self):
        self.check(self.SMALL, length=6)

    def test_heads_of_256_by_sweeps(self):
        self.check(Model(architecture="gemma3", layers=2, window=10, **self.WIDE | {"context": 64}))

    def test_heads_of_256_in_tiles(self):
        self.check(Model(architecture="gemma3", layers=1, window=100, **self.WIDE), length=340)

    def test_one_head_of_keys(self):
        self.check(Model(architecture="gemma3", layers=1, window=100, **self.WIDE | {"kv_heads": 1}), length=120)

    def test_tiles_of_both_kinds_of_layers(self):
        self.check(Model(architecture="gemma3", layers=6, window=60, **self.WIDE | {"heads": 2, "head_dim": 256}), length=90, error=DEEP_ERROR)

    def test_chunks_of_a_prompt(self):
        self.check(Model(architecture="gemma3", layers=1, window=24, tied=True, **SWEPT), "--max-context=64", length=45)

    def test_several_chips(self):
        for flags in (("--tp=2",), ("--pp=2",), ("--tp=2", "--pp=3")):
            with self.subTest(flags):
                self.check(self.SMALL, *flags)

    def test_chunks_on_several_chips(self):
        model = Model(architecture="gemma3", layers=2, window=24, tied=True, **SWEPT | {"ffn": 5800})
        self.check(model, "--max-context=64", "--tp=2", "--pp=2", length=45)

    def test_folder(self):
        self.check_folder(Folder(self.SMALL, kind="F16"))


class Gemma2(Halves, Kinds, Family):
    SMALL = Model(architecture="gemma2", layers=2, hidden=64, heads=4, kv_heads=2, head_dim=32, kind="f16", tied=True, window=12,
                  caps=(5.0, 3.0), eps=1e-6)

    def test_caps_beyond_the_window(self):
        self.check(self.SMALL, length=40)

    def test_tiles(self):
        model = Model(architecture="gemma2", layers=2, window=60, caps=(5.0, 3.0), **Gemma3.WIDE)
        self.check(model, length=90)

    def test_chunks_of_a_prompt(self):
        model = Model(architecture="gemma2", layers=2, window=24, caps=(5.0, 3.0), tied=True, **SWEPT)
        self.check(model, "--max-context=64", length=45)

    def test_several_chips(self):
        self.check(self.SMALL, "--tp=2", "--pp=2")

    def test_folder(self):
        self.check_folder(Folder(self.SMALL, kind="BF16"))


class Windows(Family):
    def test_of_all_layers(self):
        self.check(Model(architecture="phi3", layers=2, window=12, kind="f16"), length=40)

    def test_of_a_folder(self):
        model = Model(layers=2, window=5)
        self.check_folder(Folder(model, model_type="mistral", kind="F16"))


if __name__ == "__main__":
    tools.main()
