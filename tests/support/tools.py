"""Runs the project's executables for the end-to-end scripts: they see command lines, exit codes and files, nothing else.

Every script takes `--bin DIR` (or LPU_BIN) and unittest's own options. Exit code 77 means "skipped" to ctest.
"""
import argparse
import filecmp
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED_MODELS = ROOT.parent / "shared" / "models"
TINY = ROOT / "models" / "tiny" / "model.gguf"
SKIPPED = 77
TIMEOUT = 3000  # seconds for one process; a hang is a failure, not a stuck test run

try:
    import numpy as np
except ImportError:
    print(f"skipped: numpy is missing in {sys.executable}; install python3-numpy and use /usr/bin/python3")
    sys.exit(SKIPPED)

bin_dir = pathlib.Path(os.environ.get("LPU_BIN", ROOT / "build" / "release" / "bin"))


def run(tool, *args, timeout=TIMEOUT, **options):
    """The finished process, output as text, whatever its exit code."""
    command = [str(bin_dir / tool), *map(str, args)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, text=True, errors="replace", timeout=timeout, **(streams | options))


compile_reports = {}  # by program file: what lpucc reported of it


def with_report(args):
    """lpucc's arguments, with a report beside the program if none was asked for: lpu_run holds its counts against it."""
    words = [str(a) for a in args]
    if "-o" not in words or not words[words.index("-o") + 1].endswith(".lpx"):
        return args
    program = words[words.index("-o") + 1]
    report = next((w.split("=", 1)[1] for w in words if w.startswith("--report=")), None)
    compile_reports[program] = report or program + ".report.json"
    return args if report else (*args, f"--report={compile_reports[program]}")


def succeed(tool, *args, **options):
    if tool == "lpucc":
        args = with_report(args)
    done = run(tool, *args, **options)
    if done.returncode:
        raise AssertionError(f"{tool} {' '.join(map(str, args))}\nexit code {done.returncode}\n{done.stderr[-2000:]}")
    return done


def load_json(path):
    with open(path) as f:
        return json.load(f)


def ids(tokens):
    return ",".join(map(str, tokens))


def program_bytes(path):
    """A program file without what it says of the build that wrote it (program-format.md, P7)."""
    data = path.read_bytes()
    image, size = struct.unpack_from("<QQ", data, 32)
    return data[:image + size]


class Case(unittest.TestCase):
    """A test with a folder of its own, `self.dir`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lpu-e2e-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def lpu_run(self, program, *args, name="run"):
        """(report, logits) of one run; logits are None in timing mode."""
        report, logits = self.dir / f"{name}.json", self.dir / f"{name}.npy"
        extra = [] if "--mode=timing" in args or "--perplexity" in args else [f"--logits={logits}"]
        succeed("lpu-run", program, *args, f"--report={report}", *extra)
        self.assert_counts(program, load_json(report))
        return load_json(report), np.load(logits) if extra else None

    def interpret(self, model, tokens, *args):
        out = self.dir / "interpret.npy"
        succeed("lpu-interpret", model, f"--tokens={ids(tokens)}", f"--logits={out}", *args)
        return np.load(out)

    def assert_counts(self, program, report):
        """Every step did what the compiler counted in its schedule, to the last byte."""
        if str(program) not in compile_reports:
            return
        counted = {s["name"]: s["counts"] for s in load_json(compile_reports[str(program)])["system"]["steps"]}
        for step in report["steps"]:
            self.assertEqual(step["counts"], counted[step["program"]], step["program"])

    def assert_steps_as_predicted(self, report):
        self.assertTrue(report["steps"])
        for step in report["steps"]:
            self.assertEqual(step["simulated_cycles"], step["predicted_cycles"], step)

    def assert_same_file(self, a, b):
        self.assertTrue(filecmp.cmp(a, b, shallow=False), f"{a} and {b} differ")

    def assert_same_program(self, a, b):
        self.assertEqual(program_bytes(a), program_bytes(b), f"{a} and {b} differ")

    def assert_same_bits(self, a, b):
        self.assertEqual(a.dtype, np.float32)
        self.assertEqual(a.shape, b.shape)
        if a.tobytes() != b.tobytes():
            row = int(np.flatnonzero((a.view(np.uint32) != b.view(np.uint32)).any(1))[0])
            self.fail(f"first difference in row {row}: largest {np.abs(a - b).max()}")


def compiled_tiny():
    """The embedded model's program, compiled once per process."""
    global _tiny
    if _tiny is None:
        _folder = tempfile.TemporaryDirectory(prefix="lpu-tiny-")
        path = pathlib.Path(_folder.name) / "tiny.lpx"
        report = pathlib.Path(_folder.name) / "tiny.json"
        succeed("lpucc", TINY, "-o", path, f"--report={report}")
        _tiny = path, load_json(report), _folder
    return _tiny[0], _tiny[1]


_tiny = None


class CpuSeconds(unittest.TextTestResult):
    """Says of each test how much processor time it and its processes took: the same on a busy machine."""

    def startTest(self, test):
        self.before = cpu_seconds()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.names = [*getattr(self, "names", []), test.id()]
        self.stream.writeln(f"    {cpu_seconds() - self.before:.1f} s of CPU")


def cpu_seconds():
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def outcomes(result):
    """Of each test: passed, skipped and why, or failed."""
    def name(test):  # of a test, of one of its subtests, or of the setting-up of a class
        return getattr(test, "test_case", test).id().removeprefix("__main__.")
    told = {test.removeprefix("__main__."): ["passed", ""] for test in getattr(result, "names", [])}
    told |= {name(test): ["skipped", reason] for test, reason in result.skipped}
    told |= {name(test): ["failed", ""] for test, _ in [*result.failures, *result.errors]}
    return told


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path, help="write what came of each test, for scripts/test-summary")
    options, rest = parser.parse_known_args()
    global bin_dir
    if options.bin:
        bin_dir = options.bin.resolve()
    if not (bin_dir / "lpucc").exists():
        print(f"skipped: no lpucc in {bin_dir}; build the executables or give --bin")
        sys.exit(SKIPPED)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=CpuSeconds)
    result = unittest.main(module="__main__", argv=[sys.argv[0], *rest], testRunner=runner, exit=False).result
    if options.results:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(json.dumps(outcomes(result)))
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
