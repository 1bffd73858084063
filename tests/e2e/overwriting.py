#!/usr/bin/python3
"""An output that is one of the inputs is refused by every tool and every option, and the input stays as it is."""
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, compiled_tiny, run, succeed

from gguf import Model
from huggingface import Folder

ASSEMBLY = tools.ROOT / "tests" / "lit" / "isa" / "Inputs" / "add.s"
MACHINE = tools.ROOT / "isa" / "arch" / "small.yaml"


class Overwriting(Case):
    def copy(self, source, name):
        shutil.copyfile(source, self.dir / name)
        return self.dir / name

    def aliases(self, path):
        """Other names of a file: a link, an inode, a way around."""
        link, hard = path.with_name("link-" + path.name), path.with_name("hard-" + path.name)
        os.symlink(path, link)
        os.link(path, hard)
        return [path, link, hard, path.parent / "." / ".." / path.parent.name / path.name]

    def kept(self, path, tool, *args, **options):
        """The tool refuses, and neither a byte nor the folder has changed."""
        before, names = path.read_bytes(), sorted(os.listdir(self.dir))
        done = run(tool, *args, **options)
        said = f"{tool} {' '.join(map(str, args))}: exit code {done.returncode}: {done.stderr[-500:]}"
        self.assertEqual(done.returncode, 1, said)
        self.assertEqual(len(done.stderr.splitlines()), 1, said)
        self.assertRegex(done.stderr, "would overwrite|name the same file", said)
        self.assertEqual(path.read_bytes(), before, said)
        self.assertEqual(sorted(os.listdir(self.dir)), names, said)

    def test_lpucc(self):
        model = self.copy(tools.TINY, "m.gguf")
        for alias in self.aliases(model):
            self.kept(model, "lpucc", model, "-o", alias)
        new = self.dir / "m.lpx"
        self.kept(model, "lpucc", model, "-o", new, f"--report={model}")
        self.kept(model, "lpucc", model, "-o", new, f"--report={new}")
        self.kept(model, "lpucc", model, "-o", model, "--compile-to=llm")
        target = self.copy(MACHINE, "machine.yaml")
        self.kept(target, "lpucc", model, "-o", target, f"--target={target}")
        text = self.dir / "text.txt"
        text.write_text("Once upon a time there was a dog. " * 4)
        self.kept(text, "lpucc", model, "-o", new, f"--report={text}", f"--calibration={text}")
        shape = self.copy(tools.ROOT / "models" / "arch" / "tinyllama-1.1b.yaml", "shape.yaml")
        self.kept(shape, "lpucc", f"--arch={shape}", "-o", shape)
        config = self.dir / "quant.yaml"
        config.write_text("default:\n  weights: int8\n")
        self.kept(config, "lpucc", model, "-o", config, f"--quant-config={config}")

    def test_lpucc_from_a_dump(self):
        model = self.copy(tools.TINY, "m.gguf")
        succeed("lpucc", model, "-o", self.dir / "llm.mlir", "--compile-to=llm", "--max-context=64")
        dump = self.dir / "llm.mlir"
        self.kept(dump, "lpucc", dump, "-o", dump)
        self.kept(dump, "lpucc", dump, "-o", self.dir / "m.lpx", f"--dump-dir={self.dir}")
        self.kept(model, "lpucc", dump, "-o", model)  # which the dump names as its weights
        self.kept(dump, "lpu-opt", dump, "-o", dump)

    def test_folder(self):
        folder = self.dir / "hf"
        Folder(Model()).write(folder)
        weights = next(folder.glob("*.safetensors"))
        for name in (weights, folder / "config.json"):
            self.kept(name, "lpucc", folder, "-o", name)
            self.kept(name, "lpu-interpret", folder, "--tokens=1", f"--logits={name}")

    def test_lpu_run(self):
        program = self.copy(compiled_tiny()[0], "m.lpx")
        prompt = self.dir / "prompt.txt"
        prompt.write_text("Once upon a time")
        for option in ("--report", "--logits", "--trace"):
            for alias in self.aliases(program) if option == "--report" else [program]:
                self.kept(program, "lpu-run", program, "--tokens=1", "-n", "1", f"{option}={alias}")
            self.kept(prompt, "lpu-run", program, f"--prompt-file={prompt}", "-n", "1", f"{option}={prompt}")
        self.kept(prompt, "lpu-run", program, f"--perplexity={prompt}", f"--report={prompt}")
        both = self.dir / "both"
        self.kept(program, "lpu-run", program, "--tokens=1", "-n", "1", f"--report={both}", f"--trace={both}")

    def test_standard_input(self):
        program, prompt = compiled_tiny()[0], self.dir / "prompt.txt"
        prompt.write_text("Once upon a time")
        for args in (("--prompt-file", "-", "-n", "1", f"--report={prompt}"), ("--perplexity=-", f"--report={prompt}")):
            with prompt.open() as stdin:
                self.kept(prompt, "lpu-run", program, *args, stdin=stdin)
        dump = self.dir / "llm.mlir"
        succeed("lpucc", tools.TINY, "-o", dump, "--compile-to=llm", "--max-context=64")
        with dump.open() as stdin:
            self.kept(dump, "lpu-opt", "-", "-o", dump, stdin=stdin)

    def test_other_tools(self):
        model, text = self.copy(tools.TINY, "m.gguf"), self.dir / "tokens.txt"
        text.write_text("1 2 3\n")
        self.kept(model, "lpu-interpret", model, "--tokens=1", f"--logits={model}")
        self.kept(text, "lpu-interpret", model, f"--tokens-file={text}", f"--logits={text}")
        self.kept(text, "lpu-eval", model, f"--text={text}", f"--report={text}")
        self.kept(model, "lpu-eval", model, f"--text={text}", f"--report={model}")
        assembly, machine = self.copy(ASSEMBLY, "add.s"), self.copy(MACHINE, "machine.yaml")
        self.kept(assembly, "lpu-as", assembly, "--machine=small", "-o", assembly)
        self.kept(machine, "lpu-as", assembly, f"--machine={machine}", "-o", machine)
        image = self.copy(compiled_tiny()[0], "m.lpx")
        self.kept(image, "lpu-as", assembly, f"--image={image}", "-o", image)


if __name__ == "__main__":
    tools.main()
