#!/usr/bin/python3
"""Seeded faults of memory in the real program of the embedded model: two live objects in one row.

The placed stream IR of the model is compiled as it is, and again with one scratch object laid over another that is
needed at the same time. No rule of the machine is broken by that, so the net that follows what rows hold must see it.
What outlives a step may share no row at all.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, run, succeed

PLACE = r"place \{bank = (\d+) : i64, row = (\d+) : i64, side = (\d+) : i64, slice = (\d+) : i64\}"
# The residual is needed from a step's first phase to its last. All of these are written and read in between.
OVER_THE_RESIDUAL = ["norm.inverse", "step.cos", "step.sin", "step.counter", "scores.0", "score.max.0", "score.max.7"]


class ContentNets(Case):
    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.folder = tempfile.TemporaryDirectory(prefix="lpu-content-nets-")
        cls.addClassCleanup(cls.folder.cleanup)
        folder = pathlib.Path(cls.folder.name)
        cls.program = folder / "tiny.lpx"
        succeed("lpucc", tools.TINY, "-o", cls.program, "--max-context=64", f"--dump-dir={folder}")
        cls.ir = (folder / "stream.mlir").read_text()

    def place_of(self, name):
        found = re.search(rf"stream.object @{re.escape(name)} .*?({PLACE})", self.ir)
        self.assertIsNotNone(found, name)
        return found[1]

    def compile_with(self, name, place):
        """Compiles with object `name` at another place."""
        source, out = self.dir / "moved.mlir", self.dir / "moved.lpx"
        moved, count = re.subn(rf"(stream.object @{re.escape(name)} .*?){PLACE}", lambda m: m[1] + place, self.ir)
        self.assertEqual(count, 1, name)
        source.write_text(moved)
        return run("lpucc", source, "-o", out), out

    def expect_error(self, done, out, *words):
        self.assertEqual(done.returncode, 1, done.stderr[-500:])
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, done.stderr[-1000:])
        self.assertTrue(any(word in errors[0] for word in words), errors[0])
        self.assertFalse(out.exists())
        return errors[0]

    def test_objects_where_they_are_compile_to_the_same_bytes(self):
        done, out = self.compile_with("x", self.place_of("x"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_file(out, self.program)

    def test_a_live_object_laid_over_another(self):
        seen = 0
        for name in OVER_THE_RESIDUAL:
            with self.subTest(name=name):
                done, out = self.compile_with(name, self.place_of("x"))
                # A flow that uses both at once is refused before there is a schedule.
                error = self.expect_error(done, out, "but holds '", "does not fit into different slices")
                seen += "but holds '" in error
        self.assertGreaterEqual(seen, 4)

    def test_rows_of_what_outlives_a_step_are_its_own(self):
        cache = re.search(r'stream.object @(\S+) role\("zero"\)', self.ir)[1]
        gain = re.search(r'stream.object @(\S+gain\S*) role\("constant"\)', self.ir)[1]
        for kept in (cache, gain, "token"):
            with self.subTest(kept=kept):
                done, out = self.compile_with("norm.inverse", self.place_of(kept))
                self.expect_error(done, out, "only scratch objects may share rows")


if __name__ == "__main__":
    tools.main()
