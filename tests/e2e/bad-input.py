#!/usr/bin/python3
"""Good files used in a wrong way: one line with `error:`, an exit code, no output file. Broken files: bad-files.py.
"""
import os
import pathlib
import re
import resource
import signal
import stat
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import compiled_tiny, run, succeed

import gguf
from gguf import STRING, U32, Model
from refuse import Refusing


class BadInput(Refusing):
    # Models and machines that do not go together.

    def test_model_too_large_for_the_chip(self):
        keys, tensors = gguf.build(Model(hidden=32, heads=1, kv_heads=1, ffn=32))
        hidden, ffn, layers = 2048, 8192, 6
        keys |= {"llama.embedding_length": (U32, hidden), "llama.feed_forward_length": (U32, ffn),
                 "llama.block_count": (U32, layers), "llama.attention.head_count": (U32, 16),
                 "llama.attention.head_count_kv": (U32, 16), "llama.rope.dimension_count": (U32, 128)}
        shapes = [("token_embd", (hidden, 128)), ("output_norm", (hidden,))]
        for i in range(layers):
            shapes += [(f"blk.{i}." + name, s) for name, s in (
                ("attn_norm", (hidden,)), ("attn_q", (hidden, hidden)), ("attn_k", (hidden, hidden)),
                ("attn_v", (hidden, hidden)), ("attn_output", (hidden, hidden)), ("ffn_norm", (hidden,)),
                ("ffn_gate", (hidden, ffn)), ("ffn_up", (hidden, ffn)), ("ffn_down", (ffn, hidden)))]
        head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(keys))
        head += b"".join(gguf.key_bytes(k, *v) for k, v in keys.items())
        offset = 0
        for name, shape in shapes:
            head += gguf.tensor_entry(gguf.Tensor(name + ".weight", shape, gguf.TYPE_F32 if len(shape) == 1 else gguf.TYPE_F16, b""), offset)
            offset += gguf.np.prod(shape, dtype=int) * (4 if len(shape) == 1 else 2)
        path = self.dir / "large.gguf"
        with open(path, "wb") as f:  # a hole instead of 600 MB of zeros
            f.write(head + b"\0" * (-len(head) % 32))
            f.truncate(f.tell() + int(offset))
        line = self.refuse("lpucc", path, "-o", self.dir / "o.lpx", "--chips=1", names=("large.gguf", "tsp1"))
        self.assertRegex(line, r"\d{7,}")

    def test_context_too_large_for_the_chip(self):
        path, shallow = self.dir / "m.gguf", self.dir / "shallow.yaml"
        # So little memory that the largest context is short, and quickly compiled.
        text = (tools.ROOT / "isa" / "arch" / "small.yaml").read_text()
        shallow.write_text(re.sub(r"(?m)^(\s*rows_per_bank:\s*)\d+", r"\g<1>256", text).replace("name: small", "name: shallow"))
        gguf.write(path, Model(hidden=256, heads=8, kv_heads=8, ffn=64, context=256, kind="f16"))
        line = self.refuse("lpucc", path, "-o", self.dir / "o.lpx", f"--target={shallow}", "--chips=1")
        fits = int(re.search(r"--max-context=(\d+)", line)[1])
        succeed("lpucc", path, "-o", self.dir / "o.lpx", f"--target={shallow}", f"--max-context={fits}")
        (self.dir / "o.lpx").unlink()
        # The search stops a few per cent below the largest.
        self.refuse("lpucc", path, "-o", self.dir / "o.lpx", f"--target={shallow}", "--chips=1", f"--max-context={fits * 11 // 10}")

    def test_context_beyond_the_models(self):
        (self.dir / "m.gguf").write_bytes(self.encoded())
        for context in ("65", "100000000000", "0", "-1", "x"):
            self.refuse("lpucc", self.dir / "m.gguf", "-o", self.dir / "o.lpx", f"--max-context={context}")

    def test_unknown_target(self):
        (self.dir / "m.gguf").write_bytes(self.encoded())
        self.refuse("lpucc", self.dir / "m.gguf", "-o", self.dir / "o.lpx", "--target=tsp9", names=("tsp9",))
        self.refuse("lpucc", self.dir / "m.gguf", "-o", self.dir / "o.lpx", f"--target={self.dir}/none.yaml", names=("none.yaml",))

    # Outputs.

    def test_outputs_that_cannot_be_written(self):
        (self.dir / "m.gguf").write_bytes(self.encoded())
        program, _ = compiled_tiny()
        nowhere = self.dir / "no" / "such" / "folder"
        self.refuse("lpucc", self.dir / "m.gguf", "-o", nowhere, names=("folder",))
        self.refuse("lpucc", self.dir / "m.gguf", "-o", self.dir / "o.lpx", f"--report={nowhere}")
        for option in ("--report", "--logits", "--trace"):
            self.refuse("lpu-run", program, "--tokens=1", "-n", 0, f"{option}={nowhere}", names=("folder",))
        self.refuse("lpu-interpret", self.dir / "m.gguf", "--tokens=1", f"--logits={nowhere}", names=("folder",))

    def test_devices_are_not_replaced(self):
        (self.dir / "m.gguf").write_bytes(self.encoded())
        full = self.dir / "full"  # a device of our own: a failing test must not break the machine's
        try:
            os.mknod(full, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
            open(full, "w").close()
        except OSError as e:
            self.skipTest(f"cannot make a device: {e}")
        self.refuse("lpucc", self.dir / "m.gguf", "-o", full, names=("full",))
        self.refuse("lpucc", self.dir / "m.gguf", "-o", full, "--compile-to=llm", names=("full",))
        self.refuse("lpu-interpret", self.dir / "m.gguf", "--tokens=1", f"--logits={full}", names=("full",))
        self.assertTrue(stat.S_ISCHR(full.stat().st_mode))

    def test_full_disks(self):
        program, _ = compiled_tiny()
        one = "lpu-run", program, "--tokens=1", "-n", "1"
        (self.dir / "full.pftrace").symlink_to("/dev/full")
        for output in ("--trace=/dev/full", f"--trace={self.dir / 'full.pftrace'}", "--vcd=/dev/full"):
            line = self.refuse(*one, output, names=(output.split("=")[1], "No space left on device"))
            self.assertNotIn(".tmp", line)

        def little():  # of disk: files end at 4 KiB
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        for output in ("--trace=t.json", "--trace=t.pftrace", "--vcd=t.vcd"):
            done = run(*one, output, cwd=self.dir, preexec_fn=little)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertRegex(done.stderr, r"^t\..*error: cannot write: File too large")
            self.assertEqual(os.listdir(self.dir), ["full.pftrace"])

    def test_full_standard_output(self):
        program, _ = compiled_tiny()
        text = self.dir / "text.txt"
        text.write_text("Once upon a time there was a dog. " * 4)
        for tool, *args in (("lpu-objdump", program), ("lpu-objdump", "--asm", program), ("lpu-objdump", "--schedule", program),
                            ("lpu-objdump", "--annotate", program), ("lpu-objdump", "--check", program),
                            ("lpu-eval", tools.TINY, f"--text={text}", "--max-tokens=4"), ("lpu-load", program, "--requests=20")):
            with self.subTest(args), open("/dev/full", "w") as full:
                done = run(tool, *args, stdout=full)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
                self.assertRegex(done.stderr, "^stdout: error: .*No space left on device")

    def test_an_older_output_survives_a_failure(self):
        (self.dir / "bad.gguf").write_bytes(self.encoded()[:900])
        old = self.dir / "o.lpx"
        old.write_text("old")
        self.refuse("lpucc", self.dir / "bad.gguf", "-o", old)
        self.assertEqual(old.read_text(), "old")

    # Command lines.

    def test_command_lines(self):
        (self.dir / "m.gguf").write_bytes(self.encoded())
        program, _ = compiled_tiny()
        out = self.dir / "o.lpx"
        for tool, *args in (("lpucc",), ("lpucc", self.dir / "m.gguf"), ("lpucc", self.dir / "m.gguf", "-o", out, "--fast"),
                            ("lpucc", self.dir / "m.gguf", "-o", out, "--compile-to=elf"), ("lpu-run",),
                            ("lpu-run", program, "--engine=magic", "--tokens=1"), ("lpu-run", program, "--mode=none", "--tokens=1"),
                            ("lpu-run", program, "-n", "many", "--tokens=1"), ("lpu-run", program, "-n", "-3", "--tokens=1"),
                            ("lpu-run", program, "--tokens=1", "--prompt=x"), ("lpu-run", program, "--tokens=1", "--temperature=-1"),
                            ("lpu-run", program, "--tokens=1", "--temperature=nan"), ("lpu-run", program, "--tokens=1", "--top-p=2"),
                            ("lpu-run", program, "--tokens=1", "--top-k=-1"), ("lpu-run", program), ("lpu-objdump",),
                            ("lpu-objdump", "--asm", "--check", program), ("lpu-as",), ("lpu-interpret", self.dir / "m.gguf"),
                            ("lpu-as", self.dir / "m.gguf", "-o", out)):
            self.refuse(tool, *args)
        for count in ("0", "-1"):
            self.refuse("lpu-eval", tools.TINY, f"--text={__file__}", f"--max-tokens={count}", names=("--max-tokens",))

    # Prompts.

    def test_tokens_that_are_none(self):
        program, _ = compiled_tiny()
        for tokens in ("1024", "-1", "1,,2", "a", "", "1,99999999999999999999", "1;2", "1.5"):
            self.refuse("lpu-run", program, f"--tokens={tokens}", "-n", 0)
        (self.dir / "m.gguf").write_bytes(self.encoded())
        for tokens in ("300", "-1", "x", "99999999999999999999"):
            self.refuse("lpu-interpret", self.dir / "m.gguf", f"--tokens={tokens}", f"--logits={self.dir / 'o.npy'}")

    def test_prompts_longer_than_the_context(self):
        program, _ = compiled_tiny()
        tokens = ",".join(["5"] * 257)
        self.refuse("lpu-run", program, f"--tokens={tokens}", "-n", 0, names=("256",))
        self.refuse("lpu-run", program, "--prompt", "a b c " * 200, "-n", 0, names=("256",))
        self.refuse("lpu-run", program, "--tokens=1", "-n", 257, names=("256",))
        self.refuse("lpu-interpret", tools.TINY, f"--tokens={tokens}", f"--logits={self.dir / 'o.npy'}", names=("256",))

    def test_prompt_files(self):
        program, _ = compiled_tiny()
        self.refuse("lpu-run", program, "--prompt-file", self.dir / "none.txt", names=("none.txt",))
        self.refuse("lpu-run", program, "--perplexity", self.dir / "none.txt", names=("none.txt",))
        (self.dir / "binary.txt").write_bytes(b"\xff\xfe\x00abc")
        done = run("lpu-run", program, "--prompt-file", self.dir / "binary.txt", "-n", 1)
        self.assertIn(done.returncode, (0, 1), done.stderr)

    def test_standard_input_that_cannot_be_read(self):
        program, _ = compiled_tiny()
        folder = os.open(self.dir, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        for options, said in (({"stdin": folder}, "Is a directory"),
                              ({"preexec_fn": lambda: os.close(0)}, "Bad file descriptor")):
            done = run("lpu-run", program, "--prompt-file", "-", **options)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(f"standard input: error: cannot read: {said}", done.stderr)

    def test_endless_prompts(self):
        self.refuse("lpu-run", compiled_tiny()[0], "--prompt-file=/dev/zero", names=("/dev/zero", "longer than 64 MiB"))

    def test_a_text_prompt_without_a_vocabulary(self):
        gguf.write(self.dir / "m.gguf", Model())
        succeed("lpucc", self.dir / "m.gguf", "-o", self.dir / "p.lpx")
        self.refuse("lpu-run", self.dir / "p.lpx", "--prompt=hello", names=("--tokens",))

    # Files.

    def test_files_of_another_kind(self):
        program, _ = compiled_tiny()
        self.refuse("lpu-run", tools.TINY, "--tokens=1")
        self.refuse("lpu-objdump", tools.TINY)
        self.refuse("lpucc", program, "-o", self.dir / "o.lpx")
        self.refuse("lpu-as", program, "--machine=tsp1", "-o", self.dir / "o.lpx")
        (self.dir / "x.mlir").write_text("module { broken")
        self.refuse("lpucc", self.dir / "x.mlir", "-o", self.dir / "o.lpx")


if __name__ == "__main__":
    tools.main()
