#!/usr/bin/python3
"""Seeded faults on the links of a real system: four chips of the embedded model, two stages of two.

A late send, a missing send or receive, an over-booked link, a wire that leads elsewhere: the check before the run and
the simulator (both engines, with and without values) must blame the same word of the same chip in the same cycle.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, run, succeed

from assembly import Assembly

STEP = "decode_64"
FINDING = re.compile(r'(?:class "(\S+)", )?step "(\S+)": (\S+) at cycle (-?\d+)(?:, chip (\d+))?, (\S+?):')
VIOLATION = re.compile(r"(\S+): error: violation (\S+) at cycle (-?\d+), chip (\d+), (\S+?):")
CHIP = re.compile(r'\.chip "(\S+)" start=(\d+)')


class LinkNets(Case):
    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.folder = tempfile.TemporaryDirectory(prefix="lpu-link-nets-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = pathlib.Path(cls.folder.name) / "tiny.lpx"
        succeed("lpucc", tools.TINY, "-o", cls.program, "--max-context=64", "--tp=2", "--pp=2")
        cls.text = succeed("lpu-objdump", "--asm", cls.program).stdout
        cls.classes = re.findall(r'^\.class "(\S+)"', cls.text, re.M)

    def edit(self, number):
        """The step of the class of stage `number`."""
        self.assembly = Assembly(self.text, STEP, self.classes[number])
        return self.assembly

    def restart(self, chip, by):
        """A chip's program begins that much later."""
        lines = self.assembly.lines
        at = [i for i, l in enumerate(lines) if l.startswith(".chip")][chip]
        lines[at] = re.sub(r"start=(\d+)", lambda m: f"start={int(m[1]) + by}", lines[at])

    def expect(self, *categories):
        source, out = self.dir / "f.s", self.dir / "f.lpx"
        source.write_text(self.assembly.text())
        succeed("lpu-as", source, f"--image={self.program}", "-o", out)
        check = run("lpu-objdump", "--check", out)
        self.assertEqual(check.returncode, 1, check.stderr)
        place = self.first(check.stdout, source.read_text())
        self.assertIn(place[0], categories)
        for mode in ("functional", "timing"):
            for engine in ("event", "clocked"):
                with self.subTest(mode=mode, engine=engine):
                    done = run("lpu-run", out, "--tokens=1", "-n", 0, f"--mode={mode}", f"--engine={engine}")
                    self.assertEqual(done.returncode, 3, done.stderr[-500:])
                    violation = VIOLATION.search(done.stderr)
                    self.assertEqual((violation[2], int(violation[3]), int(violation[4]), violation[5]), place, done.stderr[-500:])

    def first(self, findings, text):
        """The earliest finding of the step: category, cycle after the release, chip, queue."""
        chips = [(name, int(start)) for name, start in CHIP.findall(text)]
        places = []
        for line in findings.splitlines():
            found = FINDING.search(line)
            if not found or found[2] != STEP or found[3] == "claimed-cycles":
                continue
            if found[5] is None:  # of the class's own time: the chip of the class that starts first
                start, chip = min((start, i) for i, (name, start) in enumerate(chips) if name == found[1])
            else:
                start, chip = 0, int(found[5])
            places.append((found[3] == "lost-vector", int(found[4]) + start, chip, found[6], found[3]))
        self.assertTrue(places, findings[:500])
        _, cycle, chip, queue, category = min(places, key=lambda p: p[:3])
        return category, cycle, chip, queue

    def test_the_unchanged_system_is_clean(self):
        succeed("lpu-objdump", "--check", self.program)
        self.assertEqual(len(self.classes), 2)

    def test_a_chip_that_starts_late(self):
        self.edit(0)
        self.restart(1, 1)
        self.expect("link-empty")

    def test_a_stage_that_starts_late_sends_late(self):
        self.edit(0)
        self.restart(0, 1)
        self.restart(1, 1)
        self.expect("link-empty")

    def test_a_stage_that_starts_early(self):
        self.edit(1)
        self.restart(2, -1)
        self.restart(3, -1)
        self.expect("link-empty")

    def test_a_missing_send(self):
        self.edit(0).drop("c2c.10", r"^  send")
        self.expect("link-empty")

    def test_a_missing_send_inside_a_stage(self):
        self.edit(1).drop("c2c.0", r"^  send", 3)
        self.expect("link-empty")

    def test_a_missing_receive(self):
        self.edit(1).drop("c2c.1", r"^  receive")
        self.expect("empty-stream")

    def test_a_receive_too_many(self):
        self.edit(1).append("c2c.1", "nop 200", "receive stream=w31")
        self.expect("link-empty")

    def test_a_vector_nobody_receives(self):
        assembly = self.edit(0)
        end = assembly.queue("c2c.10")[1]
        send = max(i for i in range(end) if assembly.lines[i].startswith("  send"))
        assembly.lines[send + 1:send + 1] = ["  repeat count=1 interval=24 window=1"]
        self.expect("empty-stream", "lost-vector")

    def test_an_over_booked_link(self):
        assembly = self.edit(0)
        first = assembly.find("c2c.10", r"^  send")
        assembly.wait(next(i for i in range(first, len(assembly.lines)) if "nop 23" in assembly.lines[i]), -1)
        self.expect("link-busy")

    def test_a_wire_that_is_missing(self):
        assembly = self.edit(0)
        assembly.lines = [l for l in assembly.lines if l != ".wire 0 10 2 1"]
        self.expect("link-unconnected")

    def test_wires_that_lead_to_each_other(self):
        # Both chips of the second stage get the other one's piece: same times, other values, not a hazard.
        assembly = self.edit(0)
        swapped = [l.replace(".wire 0 10 2 1", ".wire 0 10 3 1").replace(".wire 1 10 3 1", ".wire 1 10 2 1") if l.startswith(".wire") else l
                   for l in assembly.lines]
        self.assertNotEqual(swapped, assembly.lines)
        source, out = self.dir / "f.s", self.dir / "f.lpx"
        source.write_text("\n".join(swapped))
        succeed("lpu-as", source, f"--image={self.program}", "-o", out)
        succeed("lpu-objdump", "--check", out)
        args = ("--tokens=1", "-n", 2, "--ignore-eos")
        before, values = self.lpu_run(self.program, *args, name="before")
        after, others = self.lpu_run(out, *args, name="after")
        self.assertEqual(before["steps"], after["steps"])
        self.assertFalse(tools.np.array_equal(values, others))

    def test_the_text_comes_back_byte_for_byte(self):
        source, out = self.dir / "f.s", self.dir / "f.lpx"
        source.write_text(self.text)
        succeed("lpu-as", source, f"--image={self.program}", "-o", out)
        self.assert_same_program(out, self.program)

    def test_one_chip_for_those_that_behave_alike(self):
        args = ("--tokens=1,2,3", "-n", 3, "--ignore-eos", "--mode=timing")
        reports = []
        for extra in ([], ["--all-chips"], ["--engine=clocked"]):
            path = self.dir / "r.json"
            succeed("lpu-run", self.program, *args, f"--report={path}", *extra)
            report = tools.load_json(path)
            for key in ("host", "host_seconds", "engine"):
                del report[key]
            reports.append(report)
        self.assertEqual(reports[0], reports[1])
        self.assertEqual(reports[0], reports[2])
        self.assertEqual(reports[0]["chips"], 4)


if __name__ == "__main__":
    tools.main()
