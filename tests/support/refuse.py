"""What tests of bad input share: a tool, or an instrumented reader in its place, must refuse in one line.

With `--readers DIR` the files are given not to the tools but to what reads them, built with AddressSanitizer: lpu-objdump,
lpu-as, and lpu-read-model (tests/support/read-model.cpp), which opens models as lpucc and lpu-interpret do. What they say
must be as good, and a sanitizer's report is more than one line.
"""
import argparse
import os
import pathlib
import re
import sys

import gguf
import tools
from gguf import Model
from tools import Case

readers = None  # folder of the instrumented readers


def parse_readers():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--readers", type=pathlib.Path)
    options, sys.argv[1:] = parser.parse_known_args()
    global readers
    readers = options.readers and options.readers.resolve()
    if readers and not (readers / "lpu-read-model").exists():
        print(f"skipped: no lpu-read-model in {readers}; build target readers of the asan preset, as scripts/test.sh does")
        sys.exit(tools.SKIPPED)


def is_read(arg):
    """Whether an argument of lpucc names something that is read."""
    return not arg.startswith("-") or arg.startswith(("--arch=", "--weights=", "--quant-config=", "--target="))


def run(tool, *args):
    """The finished process of the tool, or of the reader that stands for it."""
    args = [str(a) for a in args]
    if readers is None:
        return tools.run(tool, *args)
    if tool in ("lpucc", "lpu-interpret"):
        at = args.index("-o") if "-o" in args else len(args)
        tool, args = "lpu-read-model", [a for a in args[:at] + args[at + 2:] if is_read(a)]
    elif tool == "lpu-run":
        tool, args = "lpu-objdump", args[:1]
    return tools.run(readers / tool, *args)


class Refusing(Case):
    def setUp(self):
        super().setUp()
        self.keys, self.tensors = gguf.build(Model(tokenizer="llama", vocabulary=300))

    def refuse(self, tool, *args, names=(), out=None):
        """The tool ends with one line and leaves nothing behind."""
        before = set(os.listdir(self.dir))
        done = run(tool, *args)
        lines = [line for line in done.stderr.splitlines() if not re.match(r"lpucc: \d+ s: ", line)]  # progress
        said = f"{tool} {' '.join(map(str, args))}: exit code {done.returncode}: {done.stderr[-1500:]}"
        self.assertIn(done.returncode, (1, 2), said)
        self.assertEqual(len(lines), 1, said)
        self.assertIn("error:", lines[0], said)
        self.assertGreater(len(lines[0].split("error:")[1]), 15, said)
        for name in names:
            self.assertIn(name, lines[0], said)
        self.assertEqual(set(os.listdir(self.dir)), before, "files left behind")
        return lines[0]

    def refuse_model(self, data, *options, names=(), interpreter=True):
        path = self.dir / "bad.gguf"
        path.write_bytes(data)
        line = self.refuse("lpucc", path, "-o", self.dir / "o.lpx", f"--report={self.dir / 'o.json'}", *options,
                           names=("bad.gguf", *names))
        if interpreter:
            self.refuse("lpu-interpret", path, "--tokens=1", f"--logits={self.dir / 'o.npy'}", names=names)
        return line

    def encoded(self, **options):
        return gguf.encode(self.keys, self.tensors, **options)

    def refuse_keys(self, key, value, names=(), **options):
        """A model whose key has another value (None: is missing)."""
        if value is None:
            del self.keys[key]
        else:
            self.keys[key] = value
        return self.refuse_model(self.encoded(), names=names, **options)
