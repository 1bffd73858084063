#!/usr/bin/python3
"""Broken files of every kind, to everything that reads them: one line with `error:`, an exit code, no output file, no crash.

With `--readers DIR` the same files go to readers built with AddressSanitizer (tests/support/refuse.py).
"""
import os
import pathlib
import random
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import compiled_tiny, succeed

import gguf
import refuse
from gguf import ARRAY, F32, I32, STRING, U32, U64, Model
from huggingface import Folder
from refuse import Refusing, run

CRASHERS = tools.ROOT / "tests" / "crashers"


class BadFiles(Refusing):
    # The file as such.

    def test_the_model_is_good_before_it_is_broken(self):
        (self.dir / "good.gguf").write_bytes(self.encoded())
        done = run("lpucc", self.dir / "good.gguf", "-o", self.dir / "o.lpx")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_missing_file(self):
        self.refuse("lpucc", self.dir / "none.gguf", "-o", self.dir / "o.lpx", names=("none.gguf",))
        self.refuse("lpu-interpret", self.dir / "none.gguf", "--tokens=1", f"--logits={self.dir / 'o.npy'}",
                    names=("none.gguf",))
        self.refuse("lpu-run", self.dir / "none.lpx", "--tokens=1", names=("none.lpx",))
        self.refuse("lpu-objdump", self.dir / "none.lpx", names=("none.lpx",))
        self.refuse("lpu-as", self.dir / "none.s", "--machine=tsp1", "-o", self.dir / "o.lpx", names=("none.s",))

    def test_a_folder_instead_of_a_file(self):
        for tool, *more in (("lpucc", "-o", self.dir / "o"), ("lpu-run", "--tokens=1"), ("lpu-objdump",),
                            ("lpu-as", "--machine=tsp1", "-o", self.dir / "o")):
            self.refuse(tool, self.dir, *more)

    def test_empty_file(self):
        self.refuse_model(b"")

    def test_cut_at_many_points(self):
        data = self.encoded()
        for size in (1, 3, 4, 7, 8, 15, 23, 24, 25, 40, 100, 1000, 5000, 9000, len(data) // 2, len(data) - 33):
            self.refuse_model(data[:size], interpreter=size % 2 == 1)

    def test_wrong_magic(self):
        self.refuse_model(self.encoded(magic=b"GGML"))
        self.refuse_model(self.encoded(magic=b"\x7fELF"))

    def test_unknown_version(self):
        for version in (0, 1, 4, 0x03000000):
            self.refuse_model(self.encoded(version=version), interpreter=False)

    def test_absurd_counts(self):
        for count in (len(self.keys) + 1, 10**6, 2**40, 2**64 - 1):
            self.refuse_model(self.encoded(key_count=count), interpreter=False)
        for count in (len(self.tensors) + 1, 10**6, 2**40, 2**64 - 1):
            self.refuse_model(self.encoded(tensor_count=count), interpreter=False)

    def test_no_tensors(self):
        self.tensors = []
        self.refuse_model(self.encoded())

    def test_absurd_string_length(self):
        data = self.encoded()
        for length in (2**31, 2**63, 2**64 - 1):
            self.refuse_model(data[:24] + struct.pack("<Q", length) + data[32:], interpreter=False)

    def test_absurd_array_length(self):
        raw = gguf.key_bytes("x", U32, 1)[:-8] + struct.pack("<IIQ", ARRAY, U32, 2**61)
        head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + raw
        self.refuse_model(head + b"\0" * 64)

    def test_arrays_nested_forever(self):
        raw = gguf.text("x") + struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 100000
        self.refuse_model(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + raw)

    def test_unknown_value_type(self):
        raw = gguf.text("general.architecture") + struct.pack("<I", 13) + b"\0" * 64
        self.refuse_model(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + raw)

    def test_alignment_that_is_none(self):
        for alignment in (0, 3, 2**31):
            self.refuse_keys("general.alignment", (U32, alignment), interpreter=False)

    def test_the_same_key_twice(self):
        data = self.encoded(key_count=len(self.keys) + 1)
        again = gguf.key_bytes("llama.block_count", U32, 7)
        self.refuse_model(data[:24] + again + data[24:], interpreter=False)

    # Keys.

    def test_unsupported_architecture(self):
        self.refuse_keys("general.architecture", (STRING, "gpt2"), names=("gpt2",))

    def test_architecture_with_control_characters(self):
        self.refuse_keys("general.architecture", (STRING, "a\nb\x1b[31m\0c"))

    def test_architecture_is_missing(self):
        self.refuse_keys("general.architecture", None, names=("general.architecture",))

    def test_needed_keys_are_missing(self):
        for key in ("block_count", "embedding_length", "feed_forward_length", "context_length", "attention.head_count",
                    "attention.layer_norm_rms_epsilon"):
            self.setUp()
            self.refuse_keys("llama." + key, None, names=("llama." + key,), interpreter=False)

    def test_key_of_another_type(self):
        self.refuse_keys("llama.block_count", (STRING, "1"), names=("llama.block_count",))

    def test_sizes_of_zero(self):
        for key in ("block_count", "embedding_length", "context_length", "attention.head_count", "attention.head_count_kv"):
            self.setUp()
            self.refuse_keys("llama." + key, (U32, 0), names=("llama." + key,), interpreter=False)

    def test_sizes_beyond_reason(self):
        for key in ("block_count", "embedding_length", "feed_forward_length", "context_length", "attention.head_count"):
            for value in ((U32, 2**32 - 1), (U64, 2**63)):
                self.setUp()
                self.refuse_keys("llama." + key, value, interpreter=False)

    def test_heads_that_do_not_divide(self):
        self.refuse_keys("llama.attention.head_count", (U32, 5))

    def test_key_heads_that_do_not_divide(self):
        self.refuse_keys("llama.attention.head_count_kv", (U32, 3))

    def test_epsilon_that_is_no_number(self):
        for value in (float("nan"), -1.0, float("inf"), 0.0):
            self.setUp()
            self.refuse_keys("llama.attention.layer_norm_rms_epsilon", (F32, value), interpreter=False)

    def test_rope_of_part_of_a_head(self):
        self.refuse_keys("llama.rope.dimension_count", (U32, 8))

    def test_experts(self):
        self.refuse_keys("llama.expert_count", (U32, 8), names=("expert",))

    # Tensors.

    def replace(self, name, tensor):
        self.tensors = [tensor if t.name == name else t for t in self.tensors]

    def test_unsupported_tensor_type(self):
        for kind in (16, 24, 30 + 100, 2**31):
            t = next(t for t in self.tensors if t.name == "blk.0.ffn_up.weight")
            self.replace(t.name, gguf.Tensor(t.name, t.shape, kind, t.data))
            self.refuse_model(self.encoded(), names=("blk.0.ffn_up.weight",), interpreter=False)

    def test_wrong_tensor_shapes(self):
        for shape in ((96, 64), (64, 95), (32, 192), (64,), (64, 96, 1, 1, 1), (0, 96), (2**33, 2**33), (2**63, 2)):
            t = next(t for t in self.tensors if t.name == "blk.0.ffn_up.weight")
            self.replace(t.name, gguf.Tensor(t.name, shape, t.kind, t.data))
            self.refuse_model(self.encoded(), names=("blk.0.ffn_up.weight",), interpreter=False)

    def test_a_missing_tensor(self):
        self.tensors = [t for t in self.tensors if t.name != "blk.0.attn_v.weight"]
        self.refuse_model(self.encoded(), names=("blk.0.attn_v.weight",))

    def test_a_tensor_too_many(self):
        self.tensors.append(gguf.tensor("blk.0.attn_q.bias", [0.0] * 64, 0))
        self.refuse_model(self.encoded(), names=("blk.0.attn_q.bias",))

    def test_a_tensor_twice(self):
        self.tensors.append(self.tensors[1])
        self.refuse_model(self.encoded(), names=(self.tensors[1].name,))

    def test_a_tensor_outside_of_the_file(self):
        data = bytearray(self.encoded())
        at = data.index(b"blk.0.ffn_up.weight") + len("blk.0.ffn_up.weight") + 4 + 16 + 4
        for offset in (2**20 // 32 * 32, 2**40, 2**64 - 32, 2**63):
            data[at:at + 8] = struct.pack("<Q", offset)
            self.refuse_model(bytes(data), names=("blk.0.ffn_up.weight",), interpreter=False)

    def test_a_misaligned_tensor(self):
        data = bytearray(self.encoded())
        at = data.index(b"blk.0.ffn_up.weight") + len("blk.0.ffn_up.weight") + 4 + 16 + 4
        data[at:at + 8] = struct.pack("<Q", 7)
        self.refuse_model(bytes(data), names=("blk.0.ffn_up.weight",))

    def test_weights_that_are_no_numbers(self):
        for bad in (float("nan"), float("inf")):
            for name, shape in (("blk.0.attn_norm.weight", (64,)), ("blk.0.ffn_gate.weight", (96, 64)),
                                ("token_embd.weight", (300, 64))):
                self.setUp()
                values = gguf.np.zeros(shape, gguf.np.float32)
                values.flat[3] = bad
                self.replace(name, gguf.tensor(name, values, gguf.TYPE_F32))
                self.refuse_model(self.encoded(), names=(name,), interpreter=False)

    # Tokenizers.

    def test_fewer_scores_than_tokens(self):
        self.refuse_keys("tokenizer.ggml.scores", (ARRAY, (F32, [0.0] * 7)), names=("scores",), interpreter=False)

    def test_fewer_tokens_than_the_vocabulary(self):
        self.keys["tokenizer.ggml.scores"] = (ARRAY, (F32, [0.0] * 9))
        self.keys["tokenizer.ggml.token_type"] = (ARRAY, (I32, [1] * 9))
        self.refuse_keys("tokenizer.ggml.tokens", (ARRAY, (STRING, ["a"] * 9)), interpreter=False)

    def test_tokens_of_a_wrong_type(self):
        self.refuse_keys("tokenizer.ggml.tokens", (ARRAY, (I32, [1] * 300)), interpreter=False)

    def test_special_tokens_outside_of_the_vocabulary(self):
        for name in ("bos", "eos", "unknown"):
            self.setUp()
            self.refuse_keys(f"tokenizer.ggml.{name}_token_id", (U32, 300), interpreter=False)

    def test_an_unknown_tokenizer(self):
        self.refuse_keys("tokenizer.ggml.model", (STRING, "morse"), names=("morse",), interpreter=False)

    def test_merges_of_unknown_pieces(self):
        """Refused by compiler or runtime, or never met by the text: but no crash."""
        keys = gguf.tokenizer_keys("gpt2", 300)
        keys["tokenizer.ggml.merges"] = (ARRAY, (STRING, ["nospace", "q zzz"]))
        self.keys.update(keys)
        (self.dir / "m.gguf").write_bytes(self.encoded())
        if run("lpucc", self.dir / "m.gguf", "-o", self.dir / "p.lpx").returncode == 0:
            done = run("lpu-run", self.dir / "p.lpx", "--prompt=qzzz nospace", "-n", 1)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertEqual(sum("error:" in l for l in done.stderr.splitlines()), done.returncode, done.stderr)

    # Machines.

    def machine(self, text):
        path = self.dir / "bad.yaml"
        path.write_text(text)
        (self.dir / "m.gguf").write_bytes(self.encoded())
        return self.refuse("lpucc", self.dir / "m.gguf", "-o", self.dir / "o.lpx", f"--target={path}")

    def test_bad_machine_descriptions(self):
        good = (tools.ROOT / "isa" / "arch" / "tsp1.yaml").read_text()
        changes = {"": None, "name: [": None, "a: &a [*a, *a]\n": None, "- 1\n- 2\n": None, "\0\1\2": None,
                   "superlanes: 20": "superlanes: 0", "per_superlane: 16": "per_superlane: 17", "ghz: 0.9": "ghz: fast",
                   "rows_per_bank: 4096": "rows_per_bank: 99999999999", "banks: 2": "banks: -2",
                   "alus: 16": "alus: 16\n  colour: red", "name: tsp1": "nome: tsp1", "mem_read: 5": "mem_read: 5\n  mem_read: 6"}
        for old, new in changes.items():
            text = old if new is None else good.replace(old, new)
            self.assertNotEqual(text, good, old)
            line = self.machine(text)
            self.assertIn("bad.yaml", line)

    # Programs and assembly.

    def test_program_headers(self):
        data = compiled_tiny()[0].read_bytes()
        path = self.dir / "bad.lpx"
        for at, value in ((0, b"ELF\0"), (4, struct.pack("<I", 99)), (8, b"\xff\xff\xff\xff"), (16, b"\xff" * 8),
                          (32, struct.pack("<Q", 2**63)), (40, struct.pack("<Q", 2**64 - 1)), (56, b"\0" * 8)):
            path.write_bytes(data[:at] + value + data[at + len(value):])
            for tool, *args in (("lpu-run", path, "--tokens=1"), ("lpu-objdump", path), ("lpu-objdump", "--asm", path)):
                self.refuse(tool, *args, names=("bad.lpx",))

    def test_program_for_another_machine(self):
        """Its description is changed inside and every checksum made right again: still refused."""
        data = bytearray(compiled_tiny()[0].read_bytes())
        at = data.index(b"superlanes: 20")
        data[at:at + 14] = b"superlanes: 16"
        self.refresh(data)
        (self.dir / "other.lpx").write_bytes(data)
        self.refuse("lpu-run", self.dir / "other.lpx", "--tokens=1", names=("other.lpx",))
        self.refuse("lpu-objdump", self.dir / "other.lpx", names=("other.lpx",))

    def refresh(self, data):
        """Hashes of docs/spec/program-format.md P3, computed anew."""
        def digest(part):
            h = 0xCBF29CE484222325 ^ len(part)
            for (w,) in struct.iter_unpack("<Q", part + b"\0" * (-len(part) % 8)):
                h = (h ^ w) * 0x100000001B3 % 2**64
                h ^= h >> 32
            return h
        metadata = struct.unpack_from("<Q", data, 16)[0]
        struct.pack_into("<Q", data, 24, digest(bytes(data[64:64 + metadata])))
        struct.pack_into("<Q", data, 56, digest(bytes(data[:56])))

    def test_metadata_cut_short_with_right_checksums(self):
        original = compiled_tiny()[0].read_bytes()
        for size in (0, 8, 64, 1000):
            data = bytearray(original[:64 + size])
            struct.pack_into("<QQQQ", data, 16, size, 0, 4096, 0)
            data += b"\0" * (4096 - len(data))
            self.refresh(data)
            (self.dir / "bad.lpx").write_bytes(data)
            self.refuse("lpu-objdump", self.dir / "bad.lpx", names=("bad.lpx",))

    def test_damaged_metadata_with_right_checksums(self):
        """Whatever a byte says: refused in one line, or read without a crash."""
        rng = random.Random(4)
        gguf.write(self.dir / "m.gguf", Model(hidden=32, heads=2, kv_heads=1, ffn=32, vocabulary=64, context=32))
        succeed("lpucc", self.dir / "m.gguf", "-o", self.dir / "p.lpx", "--target=small")
        original = (self.dir / "p.lpx").read_bytes()
        metadata = struct.unpack_from("<Q", original, 16)[0]
        for _ in range(12):
            data = bytearray(original)
            for _ in range(3):
                # Tables and their offsets stand at both ends.
                at = rng.choice((rng.randrange(400), metadata - 1 - rng.randrange(400)))
                data[64 + at] = rng.randrange(256)
            self.refresh(data)
            struct.pack_into("<Q", data, 48, struct.unpack_from("<Q", original, 48)[0])
            (self.dir / "bad.lpx").write_bytes(data)
            done = run("lpu-objdump", self.dir / "bad.lpx")
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), done.returncode, done.stderr)

    def test_assembly_texts(self):
        for text in ("add", ".queue mem.e0\n", '.step "a" kind=decode tokens=1 context=1\n.queue mem.e99\n',
                     '.step "a" kind=decode tokens=1 context=1\n.queue mem.e0\n  fly high=1\n',
                     '.step "a" kind=decode tokens=1 context=1\n.queue mem.e0\n  mem rd=2\n',
                     '.step "a" kind=decode tokens=1 context=1\n.queue mem.e0\n  mem rdrow=999999\n',
                     '.step "a" kind=decode tokens=1 context=1\n.queue mem.e0\n  .word zz\n',
                     '.step "a" kind=decode tokens=99999999999999999999 context=1\n', '.step "' + "a" * 100000, "\0" * 100, "\xff" * 10):
            (self.dir / "bad.s").write_text(text, errors="surrogateescape")
            self.refuse("lpu-as", self.dir / "bad.s", "--machine=tsp1", "-o", self.dir / "o.lpx", names=("bad.s",))

    def folder_of(self, path):
        """A Hugging Face folder with a crasher in it: its weights, or its configuration and tokenizer."""
        folder = Folder(Model(vocabulary=32, hidden=32, heads=2, kv_heads=1, ffn=32, context=32))
        out = self.dir / f"folder-{path.name}"
        folder.write(out)
        data = path.read_bytes()
        if path.parent.name == "safetensors":
            (out / "model.safetensors").write_bytes(data)
        elif path.parent.name == "huggingface":
            config, _, tokenizer = data.partition(b"\0")
            (out / "config.json").write_bytes(config)
            (out / "tokenizer.json").write_bytes(tokenizer)
        return out

    def test_crashers(self):
        """Files that once broke a reader: refused, or accepted, but never a crash."""
        for path in sorted(CRASHERS.glob("*/*")):
            commands = {"gguf": [("lpu-interpret", path, "--tokens=1"), ("lpucc", path, "-o", self.dir / "o")],
                        "lpx": [("lpu-objdump", "--check", path), ("lpu-run", path, "--tokens=1", "-n", 0)],
                        "assembly": [("lpu-as", path, "--machine=small", "-o", self.dir / "o")],
                        "arch": [("lpucc", f"--arch={path}", "-o", self.dir / "o")],
                        "quant-config": [("lpu-interpret", tools.TINY, "--tokens=1", f"--quant-config={path}")],
                        "safetensors": [("lpu-interpret", self.folder_of(path), "--tokens=1")],
                        "huggingface": [("lpu-interpret", self.folder_of(path), "--tokens=1")],
                        "onnx": [("lpucc", path, "-o", self.dir / "o")],
                        "machine": [("lpu-as", os.devnull, f"--machine={path}", "-o", self.dir / "o")]}
            for tool, *args in commands[path.parent.name]:
                with self.subTest(file=path.name, tool=tool):
                    done = run(tool, *args)
                    self.assertIn(done.returncode, (0, 1, 2), done.stderr[-2000:])
                    self.assertLessEqual(sum("error:" in l for l in done.stderr.splitlines()), 1, done.stderr[-2000:])
                    self.assertNotIn("Sanitizer", done.stderr)


if __name__ == "__main__":
    refuse.parse_readers()
    tools.main()
