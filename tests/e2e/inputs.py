#!/usr/bin/python3
"""Models as people have them: files that stand for others, checkpoints of many tools, long contexts, wide vocabularies.

What can be read gives the logits of a plain file of the same values, bit for bit. What cannot is told in one line, with
what it is and what to do.
"""
import json
import pathlib
import re
import shutil
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, np, run, succeed

import gguf
import huggingface
from gguf import U16, I32, Model
from huggingface import Folder, encode, safetensors

PROMPT = [3, 99, 17, 64, 127, 0, 5]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 4920739232\n"


class Inputs(Case):
    @staticmethod
    def lines(done):
        """What was said, without the progress that a slow host may see."""
        return [line for line in done.stderr.splitlines() if not re.match(r"lpucc: \d+ s: ", line)]

    def refuse(self, path, *said, tool="lpucc"):
        """One line that has all the words, and no output."""
        out = self.dir / "out"
        done = run(tool, path, *(["-o", out] if tool == "lpucc" else ["--tokens=1", f"--logits={out}"]))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(self.lines(done)), 1, done.stderr)
        for words in said:
            self.assertIn(words, done.stderr)
        self.assertFalse(out.exists())

    def folder(self, name="hf", **options):
        """(path of a folder, its logits by way of a GGUF file of the same values)"""
        folder, path = Folder(Model(seed=5), **options), self.dir / name
        huggingface.twin(self.dir / "twin.gguf", folder.model, folder.write(path))
        return path, self.interpret(self.dir / "twin.gguf", PROMPT)


class Files(Inputs):
    def parts(self, count, **changes):
        """A split model, as llama.cpp's gguf-split names it: metadata in the first part."""
        keys, tensors = gguf.build(Model(layers=2))
        for i in range(count):
            own = {"split.no": (U16, i), "split.count": (U16, count), "split.tensors.count": (I32, len(tensors))}
            own |= changes.get("keys", {})
            name = self.dir / f"m-{i + 1:05}-of-{count:05}.gguf"
            name.write_bytes(gguf.encode((keys if i == 0 else {}) | own, tensors[i::count]))
        whole = self.dir / "whole.gguf"
        whole.write_bytes(gguf.encode(keys, tensors))
        return whole

    def test_split_file(self):
        whole = self.parts(3)
        first = self.dir / "m-00001-of-00003.gguf"
        self.assert_same_bits(self.interpret(first, PROMPT), self.interpret(whole, PROMPT))
        succeed("lpucc", first, "-o", self.dir / "m.lpx", "--max-context=64")
        third = self.dir / "m-00003-of-00003.gguf"
        self.refuse(third, "part 3 of the 3", "m-00001-of-00003.gguf")
        done = run("lpucc", first, "-o", third)
        self.assertIn("would overwrite", done.stderr)
        shutil.copyfile(first, self.dir / "renamed.gguf")
        self.refuse(self.dir / "renamed.gguf", "part 1 of the 3", "-00001-of-00003.gguf")
        third.unlink()
        self.refuse(first, "m-00003-of-00003.gguf", "part 3 of the 3")
        shutil.copyfile(self.dir / "m-00002-of-00003.gguf", third)
        self.refuse(first, "m-00003-of-00003.gguf")

    def test_split_file_of_other_tensors(self):
        self.parts(2, keys={"split.tensors.count": (I32, 7)})
        self.refuse(self.dir / "m-00001-of-00002.gguf", "not the 7")

    def test_git_lfs_pointers(self):
        (self.dir / "m.gguf").write_bytes(POINTER)
        (self.dir / "m.onnx").write_bytes(POINTER)
        for name in ("m.gguf", "m.onnx"):
            self.refuse(self.dir / name, "Git LFS pointer", "git lfs pull")
        for name in ("model.safetensors", "config.json"):
            path, _ = self.folder(f"of-{name}")
            (path / name).write_bytes(POINTER)
            self.refuse(path, name, "Git LFS pointer")

    def test_other_files(self):
        for name, begin, what in (("m.pth", b"PK\x03\x04", "PyTorch"), ("pytorch_model.bin", b"\x80\x02}q", "PyTorch"),
                                  ("m.h5", b"\x89HDF\r\n", "HDF5"), ("m.bin", b"tjgg", "before GGUF"),
                                  ("m.gguf", b"<!DOCTYPE html>", "web page"), ("m.gguf.gz", b"\x1f\x8b\x08", "unpack"),
                                  ("m.tflite", b"\x1c\0\0\0TFL3", "TensorFlow Lite")):
            with self.subTest(name):
                (self.dir / name).write_bytes(begin + bytes(100))
                self.refuse(self.dir / name, name, what)
                self.refuse(self.dir / name, name, what, tool="lpu-interpret")

    def test_what_goes_with_a_model(self):
        """GGUF files that are no models by themselves."""
        keys, _ = gguf.build(Model())
        pair = [gguf.tensor(f"blk.0.attn_q.weight.lora_{part}", np.zeros(shape, np.float32), gguf.TYPE_F32) for part, shape in (("a", (8, 64)), ("b", (64, 8)))]
        for kind, architecture, tensors, said in (("adapter", "llama", pair, "llama-export-lora"), ("mmproj", "clip", [], "language model"),
                                                  ("imatrix", "llama", [], '"imatrix"')):
            path = self.dir / f"{kind}.gguf"
            path.write_bytes(gguf.encode(keys | {"general.type": (gguf.STRING, kind), "general.architecture": (gguf.STRING, architecture)}, tensors))
            self.refuse(path, path.name, said)

    def test_embeddings_that_are_tied_without_a_word(self):
        """transformers leaves out what is usual for a family: no key, no lm_head."""
        folder, path = Folder(Model(seed=5, tied=True)), self.dir / "hf"
        effective = folder.write(path)
        config = folder.configuration()
        del config["tie_word_embeddings"]
        (path / "config.json").write_text(json.dumps(config))
        huggingface.twin(self.dir / "twin.gguf", folder.model, effective)
        self.assert_same_bits(self.interpret(path, PROMPT), self.interpret(self.dir / "twin.gguf", PROMPT))
        (path / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
        self.refuse(path, "lm_head.weight")

    def test_name_of_a_hub(self):
        self.refuse("some-owner/Some-Model-1B", "some-owner/Some-Model-1B", "download")

    def test_folders_of_other_things(self):
        for name, files, said in (("lora", ("adapter_config.json", "adapter_model.safetensors"), "adapter"),
                                  ("ggufs", ("a.gguf", "b.gguf"), '"a.gguf"'), ("torch", ("config.json", "m.bin"), "PyTorch")):
            (self.dir / name).mkdir()
            for file in files:
                (self.dir / name / file).write_bytes(b"{}")
            self.refuse(self.dir / name, said)
        self.refuse(self.dir / "lora" / "adapter_model.safetensors", "adapter")
        (self.dir / "alone.safetensors").write_bytes(safetensors({}))
        self.refuse(self.dir / "alone.safetensors", "config.json")

    def test_a_file_of_a_folder_stands_for_it(self):
        path, logits = self.folder()
        for name in ("config.json", "model.safetensors"):
            self.assert_same_bits(self.interpret(path / name, PROMPT), logits)
        split, logits = self.folder("split", files=2)
        for name in ("model.safetensors.index.json", "model-00001-of-00002.safetensors"):
            self.assert_same_bits(self.interpret(split / name, PROMPT), logits)

    def test_weights_once_more(self):
        path, logits = self.folder()
        raw, kind, _ = encode(np.zeros((4, 4), np.float32), "F32")
        for name in ("consolidated.safetensors", "adapter_model.safetensors"):
            (path / name).write_bytes(safetensors({"tok_embeddings.weight": (raw, kind, (4, 4))}))
        self.assert_same_bits(self.interpret(path, PROMPT), logits)
        (path / "model.safetensors").unlink()
        self.refuse(path, "consolidated")

    def test_names_without_the_usual_beginning(self):
        for prefix in ("", "base.model.", "_orig_mod.model."):
            with self.subTest(prefix):
                folder, path = Folder(Model(seed=5)), self.dir / f"p{len(prefix)}"
                huggingface.twin(self.dir / "twin.gguf", folder.model, folder.write(path))
                tensors, _ = folder.tensors()
                renamed = {n.replace("model.", prefix, 1) if n.startswith("model.") else prefix.replace("model.", "") + n: t
                           for n, t in tensors.items()}
                (path / "model.safetensors").write_bytes(safetensors(renamed))
                self.assert_same_bits(self.interpret(path, PROMPT), self.interpret(self.dir / "twin.gguf", PROMPT))

    def test_newer_types(self):
        folder, path = Folder(Model(seed=5)), self.dir / "hf"
        folder.write(path)
        tensors, _ = folder.tensors()
        name = "model.layers.0.mlp.up_proj.weight"
        shape = tensors[name][2]
        for kind, bits in (("F8_E4M3", 8), ("F8_E8M0", 8), ("F4", 4), ("F6_E2M3", 6), ("U16", 16), ("C64", 64)):
            with self.subTest(kind):
                packed = bytes(shape[0] * shape[1] * bits // 8), kind, shape
                (path / "model.safetensors").write_bytes(safetensors(tensors | {name: packed}))
                self.refuse(path, name, kind)

    def test_mlx(self):
        path, _ = self.folder(config={"quantization": {"group_size": 32, "bits": 4}})
        self.refuse(path, "MLX", "--dequantize")


class Quantized(Inputs):
    def quantized(self, change=lambda parts, config: None, form="gptq", **options):
        """Logits of a folder after `change` of its tensors and configuration, and what these stand for."""
        folder, path = Folder(Model(seed=3), kind="F16", form=form, **options), self.dir / "q"
        effective = folder.write(path)
        tensors, _ = folder.tensors()
        config = folder.configuration()
        change(tensors, config)
        (path / "model.safetensors").write_bytes(safetensors(tensors))
        (path / "config.json").write_text(json.dumps(config))
        return path, effective

    def same(self, path, effective, model=Model(seed=3)):
        huggingface.twin(self.dir / "twin.gguf", model, effective)
        self.assert_same_bits(self.interpret(path, PROMPT), self.interpret(self.dir / "twin.gguf", PROMPT))

    def test_zero_points_of_8_stored_as_they_are(self):
        """Symmetric, of the first format by name; w = (q - 8) · scale all the same."""
        def change(tensors, config):
            for name, (raw, kind, shape) in list(tensors.items()):
                if name.endswith(".qzeros"):
                    tensors[name] = b"\x88" * len(raw), kind, shape
        path, _ = self.quantized(change)
        as_claimed = self.interpret(path, PROMPT)
        config = json.loads((path / "config.json").read_text())
        config["quantization_config"]["checkpoint_format"] = "gptq_v2"
        (path / "config.json").write_text(json.dumps(config))
        self.assert_same_bits(as_claimed, self.interpret(path, PROMPT))

    def test_a_zero_point_of_0_borrows(self):
        """GPTQModel subtracts 0x11111111 from words of eight: zero points 0 and 3 become 15 and 1."""
        def zeros(word):
            def change(tensors, config):
                for name, (raw, kind, shape) in list(tensors.items()):
                    if name.endswith(".qzeros"):
                        tensors[name] = struct.pack("<I", word) * (len(raw) // 4), kind, shape
            return change
        meant = 0x98765430
        first = self.interpret(self.quantized(zeros((meant - 0x11111111) & 0xFFFFFFFF))[0], PROMPT)
        second = self.interpret(self.quantized(zeros(meant), form="gptq_v2")[0], PROMPT)
        self.assert_same_bits(first, second)
        each = self.interpret(self.quantized(zeros(0xFFFFFFFF))[0], PROMPT)
        self.assert_same_bits(each, self.interpret(self.quantized(zeros(0), form="gptq_v2")[0], PROMPT))

    def test_configuration_in_a_file_of_its_own(self):
        for form, name, own in (("gptq", "quantize_config.json", {"bits": 4, "group_size": 32, "desc_act": False, "sym": True}),
                                ("awq", "quant_config.json", {"zero_point": True, "q_group_size": 32, "w_bit": 4, "version": "GEMM"})):
            with self.subTest(form):
                path, effective = self.quantized(lambda _, config: config.pop("quantization_config"), form)
                self.refuse(path, "quantize_config.json")
                (path / name).write_text(json.dumps(own))
                self.same(path, effective)
                (path / name).unlink()

    def compressed(self, bits, strategy, form, zero=False, order=False):
        """A folder as compressed-tensors writes it: codes of `bits` from -2^(bits-1) on, stored as unsigned words."""
        rng, half, model = np.random.default_rng(7), 1 << (bits - 1), Model(seed=3)
        folder, path = Folder(model, kind="BF16"), self.dir / "c"
        effective = folder.write(path)
        tensors, _ = folder.tensors()
        for name, values in huggingface.random_values(model).items():
            if not name.startswith("blk.") or values.ndim != 2:
                continue
            stem = huggingface.name_of(name).removesuffix("weight")
            rows, cols = values.shape
            size = 32 if strategy == "group" else cols
            groups = rng.permutation(np.arange(cols) // size) if order else np.arange(cols) // size
            count = (cols + size - 1) // size
            q = rng.integers(-half + 1, half, (rows, cols))
            zeros = rng.integers(-half, half, (rows, count)) if zero else np.zeros((rows, count), int)
            scales = (rng.uniform(0.5, 1.5, (rows, count)) / half / np.sqrt(cols) * 2).astype("<f2").astype(np.float32)
            raw, kind, scales = encode(scales, "BF16")
            scales = scales.reshape(rows, count)
            del tensors[stem + "weight"]
            if form == "int-quantized":
                tensors[stem + "weight"] = q.astype("i1").tobytes(), "I8", q.shape
            else:
                tensors[stem + "weight_packed"] = self.words(q + half, bits).tobytes(), "I32", (rows, cols * bits // 32)
                tensors[stem + "weight_shape"] = np.array([rows, cols], "<i8").tobytes(), "I64", (2,)
            tensors[stem + "weight_scale"] = raw, kind, (rows, count)
            if zero:
                packed = self.words((zeros + half).T, bits).T
                tensors[stem + "weight_zero_point"] = np.ascontiguousarray(packed).tobytes(), "I32", packed.shape
            if order:
                tensors[stem + "weight_g_idx"] = groups.astype("<i4").tobytes(), "I32", (cols,)
            values = ((q - zeros[:, groups]).astype(np.float32) * scales[:, groups]).astype(np.float32)
            permuted = ".attn_q." in name or ".attn_k." in name
            effective[name] = folder.paired(values) if permuted else values
        weights = {"num_bits": bits, "type": "int", "symmetric": not zero, "strategy": strategy,
                   "group_size": 32 if strategy == "group" else None, "actorder": "group" if order else None}
        config = folder.configuration() | {"quantization_config": {
            "quant_method": "compressed-tensors", "format": form, "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}}}}
        (path / "config.json").write_text(json.dumps(config))
        (path / "model.safetensors").write_bytes(safetensors(tensors))
        return path, effective

    @staticmethod
    def words(fields, bits):
        per = 32 // bits
        parts = fields.reshape(fields.shape[0], -1, per).astype(np.uint32)
        return sum(parts[..., i] << np.uint32(bits * i) for i in range(per)).astype("<u4")

    def test_compressed_tensors(self):
        for bits, strategy, form, zero, order in ((4, "group", "pack-quantized", False, False),
                                                  (4, "group", "pack-quantized", True, False),
                                                  (4, "group", "pack-quantized", False, True),
                                                  (4, "channel", "pack-quantized", False, False),
                                                  (8, "group", "pack-quantized", False, False),
                                                  (8, "channel", "int-quantized", False, False)):
            with self.subTest(f"{form} {bits} {strategy} zero={zero} order={order}"):
                self.same(*self.compressed(bits, strategy, form, zero, order))

    def test_compressed_tensors_that_are_not_read(self):
        path, _ = self.compressed(4, "group", "pack-quantized")
        config = json.loads((path / "config.json").read_text())
        config["quantization_config"]["format"] = "float-quantized"
        (path / "config.json").write_text(json.dumps(config))
        self.refuse(path, "float-quantized", "config.json")


class Shapes(Inputs):
    def shape(self, **sizes):
        keys = {"name": "x", "source": "none", "architecture": "llama", "layers": 1, "hidden": 64, "ffn": 128,
                "vocabulary": 256, "heads": 4, "kv_heads": 2, "head_dim": 16, "context": 64, "norm_eps": "1e-5",
                "rope_base": 10000, "tied_embeddings": "true"} | sizes
        path = self.dir / "shape.yaml"
        path.write_text("".join(f"{k}: {v}\n" for k, v in keys.items()))
        return path

    def compile(self, path, *options, code=0):
        """What is said about the context; its program's largest."""
        report = self.dir / "report.json"
        done = run("lpucc", f"--arch={path}", "-o", self.dir / "o.lpx", f"--report={report}", *options)
        self.assertEqual(done.returncode, code, done.stderr)
        said = self.lines(done)
        self.assertLessEqual(len(said), 1, done.stderr)
        context = max(s["context"] for s in tools.load_json(report)["programs"]) if code == 0 else None
        return "".join(said), context

    def test_the_usual_context(self):
        self.assertEqual(self.compile(self.shape(context=300)), ("", 300))
        said, context = self.compile(self.shape(context=131072))
        self.assertEqual(context, 4096)
        self.assertIn("context of 4096 positions, the model has 131072", said)
        self.assertIn("--max-context=model", said)
        self.assertEqual(self.compile(self.shape(context=131072), "--max-context=128"), ("", 128))
        self.assertEqual(self.compile(self.shape(context=300), "--max-context=model"), ("", 300))

    def test_limits_of_contexts(self):
        """(sizes, the largest, the reason): what is said works."""
        for sizes, limit, reason in (({"head_dim": 128, "context": 20481}, 20480, "tables of rope"),
                                     ({"head_dim": 64, "context": 131072}, 32767, "int32"),
                                     ({"head_dim": 16, "context": 4097}, 4096, "one memory bank")):
            with self.subTest(sizes):
                shape = self.shape(**sizes)
                said, _ = self.compile(shape, "--max-context=model", code=1)
                self.assertIn(f"more than the {limit} ", said)
                self.assertIn(reason, said)
                advice = re.search(r"--max-context=(\d+)", said)
                self.assertEqual(int(advice[1]), limit, said)
                self.assertEqual(self.compile(shape, advice[0]), ("", limit))

    def test_the_largest_sequence_of_an_encoder(self):
        """More than memory holds, and more than the machine can: neither has chips to go to; what is said works."""
        shape = self.dir / "encoder.yaml"
        shape.write_text("name: x\nsource: none\narchitecture: bert\nlayers: 4\nhidden: 256\nheads: 4\nffn: 1024\n"
                         "vocabulary: 100\ncontext: 128\nnorm_eps: 1e-12\ntoken_types: 2\n")
        for context, reason in ((64, "does not fit on one chip"), ("model", "hold no longer sequence")):
            with self.subTest(context):
                said, _ = self.compile(shape, "--target=small", f"--max-context={context}", code=1)
                self.assertIn(reason, said)
                self.assertNotIn("chips would do", said)
                advice = re.search(r"--max-context=(\d+)", said)
                self.assertEqual(self.compile(shape, "--target=small", advice[0]), ("", int(advice[1])))

    def test_wide_vocabularies(self):
        """(vocabulary, hidden, chips): 33 to 41 tables of whole memory banks and tiles of the head; then too many."""
        for vocabulary, hidden, chips in ((135166, 64, 1), (167900, 64, 1), (151936, 320, 1), (73000, 576, 1), (200064, 64, 2)):
            with self.subTest(f"{vocabulary} x {hidden}"):
                self.compile(self.shape(vocabulary=vocabulary, hidden=hidden, architecture="qwen2", layers=2), "--steps=decode")
                self.assertEqual(tools.load_json(self.dir / "report.json")["chips"], chips)

    def test_a_wide_vocabulary_runs(self):
        """Tokens of the first and the last table, of those in inner slices, and their neighbours."""
        shape, tokens = self.shape(vocabulary=151936), [0, 4095, 131071, 131072, 139264, 151551, 151552, 151935]
        self.compile(shape, "--weights=random:7")
        report, logits = self.lpu_run(self.dir / "o.lpx", f"--tokens={tools.ids(tokens)}", "-n", 2, "--ignore-eos")
        self.assert_steps_as_predicted(report)
        fed = tokens + report["tokens"][:1]
        expected = self.dir / "expected.npy"
        succeed("lpu-interpret", f"--arch={shape}", "--weights=random:7", f"--tokens={tools.ids(fed)}", f"--logits={expected}")
        self.assert_same_bits(logits, np.load(expected))


if __name__ == "__main__":
    tools.main()
