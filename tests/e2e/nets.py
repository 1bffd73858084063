#!/usr/bin/python3
"""Seeded faults in the real program of the embedded model: each must be caught, and by every net alike.

The program is disassembled, one thing is changed, and it is assembled again. The legality check and the simulator
(both engines, with and without values) must blame the same word in the same cycle for the same reason. A changed
operation breaks no rule: there the logits must change. Damage to the file itself is refused by every reader.
"""
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, np, run, succeed

from assembly import Assembly

STEP = "decode_64"
SQUARE = r"mulf a=([ew]\d+:4) b=\1"  # the first operation of a norm
CONSTANT = r"mem rd=1 rdbank=1 rdrow=(\d+)"  # the memory plan keeps constants in bank 1
FINDING = re.compile(r'step "(\S+)": (\S+) at cycle (-?\d+), (?:chip 0, )?(\S+?):')
VIOLATION = re.compile(r"(\S+): error: violation (\S+) at cycle (-?\d+), chip 0, (\S+?):")


class Nets(Case):
    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.folder = tempfile.TemporaryDirectory(prefix="lpu-nets-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = pathlib.Path(cls.folder.name) / "tiny.lpx"
        succeed("lpucc", tools.TINY, "-o", cls.program, "--max-context=64")
        cls.text = succeed("lpu-objdump", "--asm", cls.program).stdout

    def setUp(self):
        super().setUp()
        self.assembly = Assembly(self.text, STEP)

    def assemble(self):
        source, out = self.dir / "f.s", self.dir / "f.lpx"
        source.write_text(self.assembly.text())
        succeed("lpu-as", source, f"--image={self.program}", "-o", out)
        return out

    def expect(self, *categories):
        """The edited program is illegal, for one of these reasons, in the eyes of all."""
        program = self.assemble()
        check = run("lpu-objdump", "--check", program)
        self.assertEqual(check.returncode, 1, check.stderr)
        found = FINDING.search(check.stdout + check.stderr)
        self.assertIsNotNone(found, check.stdout[:500])
        self.assertIn(found[2], categories)
        for mode in ("functional", "timing"):
            for engine in ("event", "clocked"):
                with self.subTest(mode=mode, engine=engine):
                    self.expect_violation(program, found, f"--mode={mode}", f"--engine={engine}")

    def expect_violation(self, program, found, *args):
        report = self.dir / "r.json"
        done = run("lpu-run", program, "--tokens=1", "-n", 0, f"--report={report}", *args)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(report.exists())
        errors = [l for l in done.stderr.splitlines() if "error:" in l]
        self.assertEqual(len(errors), 1, done.stderr[-1000:])
        violation = VIOLATION.search(errors[0])
        self.assertIsNotNone(violation, errors[0])
        self.assertEqual(violation.group(2, 3, 4), found.group(2, 3, 4), errors[0])

    def expect_other_logits(self):
        """The edited program is legal, takes as long, and computes something else."""
        program = self.assemble()
        succeed("lpu-objdump", "--check", program)
        # Decode only: a single position makes every softmax 1, so three are fed.
        args = ("--tokens=1", "-n", 3, "--ignore-eos")
        before, values = self.lpu_run(self.program, *args, name="before")
        after, others = self.lpu_run(program, *args, name="after")
        # Other words are executed, so counts differ by right; time may not.
        for step in before["steps"] + after["steps"]:
            self.assertTrue(step.pop("counts"))
        self.assertEqual(before["steps"], after["steps"])
        self.assertFalse(np.array_equal(values, others))
        clocked, same = self.lpu_run(program, *args, "--engine=clocked", name="clocked")
        self.assert_same_bits(others, same)
        self.assertEqual(after["memory_sha256"], clocked["memory_sha256"])

    # One issue moved by a cycle.

    def test_everything_after_a_read_later(self):
        self.assembly.wait(self.assembly.find("mem.w0", r"nop \d\d"), 1)
        self.expect("empty-stream")

    def test_one_read_later(self):
        self.assembly.delay("mem.w0", r"nop \d\d\d", 1)
        self.expect("empty-stream")

    def test_one_read_earlier(self):
        self.assembly.wait(self.assembly.find("mem.w0", r"nop \d\d\d", 1), -1)
        self.expect("empty-stream")

    def test_one_vector_operation_later(self):
        self.assembly.wait(self.assembly.find("vxm.0", r"nop 3$", 1), 1)
        self.expect("empty-operand")

    def test_one_weight_load_later(self):
        self.assembly.delay("mxm.e0.w", r"nop \d\d")
        self.expect("empty-stream", "early-install")

    def test_one_accumulation_later(self):
        self.assembly.wait(self.assembly.find("mxm.e0.r", r"nop \d\d"), 1)
        self.expect("no-sum", "lost-sum")

    def test_one_play_later(self):
        self.assembly.wait(self.assembly.find("mxm.w0.a", r"nop \d\d", 2), 1)
        self.expect("empty-stream", "no-sum", "lost-sum")

    def test_a_burst_of_one_more(self):
        self.assembly = Assembly(self.text, STEP, brief=True)
        self.assembly.swap("mem.w*", r"rdrow=\d+ .*copies=3 wait=\d\d", lambda m: m[0].replace("copies=3 wait=", "copies=4 wait="))
        self.expect("empty-stream", "stream-collision", "bank-conflict")

    def test_a_word_that_waits_longer(self):
        self.assembly = Assembly(self.text, STEP, brief=True)
        self.assembly.swap("mxm.e0.r", r"wait=(\d\d)$", lambda m: f"wait={int(m[1]) + 1}")
        self.expect("no-sum", "lost-sum", "empty-stream")

    # Streams, banks, rows.

    def test_a_read_on_another_stream(self):
        self.assembly.swap("mem.w0", "rdstream=e0", "rdstream=e1", 2)
        self.expect("empty-stream", "stream-collision")

    def test_two_streams_swapped_give_other_values(self):
        self.assembly.swap("mem.w0", "rdstream=e0", "rdstream=e1", 0)
        self.assembly.swap("mem.w1", "rdstream=e1", "rdstream=e0", 0)
        self.expect_other_logits()

    def test_an_operand_from_an_empty_stream(self):
        self.assembly.swap("vxm.*", SQUARE, "mulf a=w28:4 b=w28:4")
        self.expect("empty-stream")

    def test_a_misaligned_group(self):
        self.assembly.swap("vxm.*", SQUARE, r"mulf a=\1 b=w1:4")
        self.expect_refused_or("illegal-encoding")

    def test_another_bank(self):
        self.assembly.swap("mem.e28", r"mem rd=1 rdrow", "mem rd=1 rdbank=1 rdrow")
        self.expect("read-before-write")

    def test_both_halves_in_one_bank(self):
        self.assembly.swap("mem.w0", r"mem rd=1 rdbank=1 rdrow=\d+", r"\g<0> wr=1 wrbank=1 wrrow=4000 wrstream=w0")
        self.expect("bank-conflict")

    def test_a_row_never_written(self):
        self.assembly.swap("mem.w*", CONSTANT, "mem rd=1 rdbank=1 rdrow=4095")
        self.expect("read-before-write")

    def test_writing_a_constant(self):
        row = re.search(CONSTANT, self.assembly.lines[self.assembly.find("mem.w0", CONSTANT)])[1]
        self.assembly.swap("mem.w0", r"mem wr=1 wrstream", f"mem wr=1 wrbank=1 wrrow={row} wrstream")
        self.expect("read-only-write")

    def test_an_sxm_map_that_does_not_exist(self):
        self.insert_queue("sxm.e2", "sync", "nop 40", "permute map=4000")
        self.expect_refused_or("address-range")

    # Words left out.

    def test_a_dropped_first_install(self):
        self.assembly.drop("mxm.e0.a", "install=1")
        self.expect("no-tile", "early-lw")

    def test_a_dropped_later_install(self):
        self.assembly.drop("mxm.e0.a", "install=1", 3)
        self.expect("early-lw")

    def test_a_dropped_play(self):
        self.assembly.drop("mxm.e0.a", "play=1", 2)
        self.expect("no-sum")

    def test_a_dropped_accumulation(self):
        self.assembly.drop("mxm.e0.r", r"^  acc", 1)
        self.expect("lost-sum")

    def test_a_dropped_activation_load(self):
        self.assembly.drop("mxm.e0.a", "load=1", 0)
        self.expect("empty-operand")

    def test_a_dropped_write(self):
        self.assembly.drop("mem.w0", "wr=1", 0)
        self.expect("read-before-write")

    def test_a_dropped_vector_operation(self):
        self.assembly.drop("vxm.*", SQUARE)
        self.expect("empty-operand")

    def test_a_dropped_sync(self):
        del self.assembly.lines[self.assembly.find("vxm.0", "sync")]
        self.expect("illegal-encoding")

    def test_a_queue_parked_for_good(self):
        self.assembly.append("vxm.3", "sync")
        self.expect("overrun", "illegal-encoding")

    def test_install_and_play_in_one_word(self):
        self.assembly.swap("mxm.e0.a", r"act install=1", "act install=1 play=1 mask=1", 1)
        self.expect("install-play")

    def test_a_result_of_another_alu(self):
        self.assembly.swap("vxm.*", r"mulf a=alu\d+ b=imm imm=0x41800000", "mulf a=alu14 b=imm imm=0x41800000")
        self.expect("empty-operand")

    # Links that are not there.

    def test_sending_into_nothing(self):
        self.insert_queue("c2c.0", "sync", "nop 40", "send stream=e0")
        self.expect("link-unconnected")

    def test_receiving_from_nothing(self):
        self.insert_queue("c2c.7", "sync", "nop 40", "receive stream=e0")
        self.expect("link-unconnected", "link-empty")

    # Changed arithmetic: legal, and seen in the logits.

    def test_a_multiplication_turned_addition(self):
        self.assembly.swap("vxm.*", SQUARE, r"addf a=\1 b=\1")
        self.expect_other_logits()

    def test_an_exponential_turned_reciprocal(self):
        lines = self.assembly.lines
        begin, label = self.assembly.queue("vxm.0")[0], ""
        for i in range(begin, len(lines)):
            label = lines[i] if lines[i].startswith(".label") else label
            if "ffn gate" in label and lines[i].startswith("  exp "):
                lines[i] = lines[i].replace("exp", "recip")
                break
        self.expect_other_logits()

    def test_an_addition_turned_subtraction_at_the_end(self):
        self.assembly.swap("vxm.0", r"^  addf a=alu", "  subf a=alu", -1)
        self.expect_other_logits()

    def test_another_constant(self):
        self.assembly.swap("vxm.*", "imm=0x41800000", "imm=0x41000000")
        self.expect_other_logits()

    def test_a_play_of_fewer_lanes(self):
        self.assembly.swap("mxm.e0.a", r"mask=0x[0-9a-f]+", "mask=1", -1)
        self.expect_other_logits()

    def test_another_row_of_constants(self):
        # The byte that holds the exponent of a scale of each output channel.
        first, second = (re.search(CONSTANT, self.assembly.lines[self.assembly.find("mem.w3", CONSTANT, n)])[1]
                         for n in (1, 2))
        self.assertNotEqual(first, second)
        self.assembly.swap("mem.w3", CONSTANT, f"mem rd=1 rdbank=1 rdrow={second}", 1)
        self.expect_other_logits()

    # Claims and files.

    def test_a_wrong_claim_of_cycles(self):
        i = next(i for i, l in enumerate(self.assembly.lines) if l.startswith(f'.step "{STEP}"'))
        self.assembly.lines[i] = re.sub(r"predicted=(\d+)", lambda m: f"predicted={int(m[1]) - 1}", self.assembly.lines[i])
        program = self.assemble()
        check = run("lpu-objdump", "--check", program)
        self.assertEqual(check.returncode, 1)
        self.assertIn("claimed-cycles", check.stdout + check.stderr)
        done = run("lpu-run", program, "--tokens=1", "-n", 0)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(sum("error:" in l for l in done.stderr.splitlines()), 1)

    def test_round_trip_is_byte_identical(self):
        self.assembly = Assembly(self.text, STEP, brief=True)
        self.assert_same_program(self.assemble(), self.program)
        whole, _ = tools.compiled_tiny()
        self.assembly = Assembly(succeed("lpu-objdump", "--asm", whole).stdout, STEP, brief=True)
        (self.dir / "w.s").write_text(self.assembly.text())
        succeed("lpu-as", self.dir / "w.s", f"--image={whole}", "-o", self.dir / "w.lpx")
        self.assert_same_program(self.dir / "w.lpx", whole)

    def test_the_unchanged_program_is_clean(self):
        done = succeed("lpu-objdump", "--check", self.program)
        self.assertEqual(re.findall(r"(\d+) findings", done.stdout), ["0", "0"])

    def test_any_damaged_byte_is_refused(self):
        data = tools.program_bytes(self.program)
        image = int.from_bytes(data[32:40], "little")
        rng = random.Random(1)
        places = [*range(0, 64, 7), *(rng.randrange(64, image) for _ in range(12)),
                  *(rng.randrange(image, len(data)) for _ in range(6)), len(data) - 1]
        for at in places:
            damaged = bytearray(data)
            damaged[at] ^= 1 << rng.randrange(8)
            self.expect_unreadable(bytes(damaged), f"byte {at}")

    def test_any_cut_is_refused(self):
        whole, data = self.program.read_bytes(), tools.program_bytes(self.program)
        self.assertGreater(len(whole), len(data) + 8)
        for size in (0, 1, 3, 4, 63, 64, 65, 4096, len(data) // 2, len(data) - 1):
            self.expect_unreadable(data[:size], f"{size} bytes")
        for wrong in (data + b"\0", whole + b"\0", whole[:-1], whole[:len(data) + 5], data + b"LPUX" + whole[len(data) + 4:]):
            self.expect_unreadable(wrong, f"{len(wrong) - len(data)} bytes behind the image")
        succeed("lpu-objdump", self.program)

    def test_the_origin_is_no_part_of_the_program(self):
        """A program without it, and one that another build has signed, are read, and run the same."""
        whole, data = self.program.read_bytes(), tools.program_bytes(self.program)
        self.assertEqual(whole[len(data) + 8:].decode() + "\n", succeed("lpucc", "--version").stdout)
        self.assertIn(whole[len(data) + 8:].decode(), succeed("lpu-objdump", self.program).stdout)
        expected = succeed("lpu-run", self.program, "--tokens=1", "-n", 2).stdout
        for other in (data, data + b"LPUV\x05\0\0\0other"):
            (self.dir / "o.lpx").write_bytes(other)
            self.assertEqual(succeed("lpu-run", self.dir / "o.lpx", "--tokens=1", "-n", 2).stdout, expected)

    def expect_unreadable(self, data, what):
        path = self.dir / "bad.lpx"
        path.write_bytes(data)
        for tool, *args in (("lpu-run", path, "--tokens=1", "-n", 0), ("lpu-objdump", path)):
            done = run(tool, *args)
            errors = [l for l in done.stderr.splitlines() if "error:" in l]
            self.assertEqual((done.returncode, len(errors)), (1, 1), f"{what}: {tool}: {done.stderr[-300:]}")
            self.assertIn("bad.lpx", errors[0])

    def insert_queue(self, name, *words):
        end = self.assembly.queue("mxm.w1.r")[1]
        while end > 0 and self.assembly.lines[end - 1] == "":
            end -= 1
        self.assembly.lines[end:end] = ["", f".queue {name}", *(f"  {w}" for w in words), ""]

    def expect_refused_or(self, category):
        """Either the assembler refuses the word, or every net does."""
        source = self.dir / "f.s"
        source.write_text(self.assembly.text())
        done = run("lpu-as", source, f"--image={self.program}", "-o", self.dir / "f.lpx")
        if done.returncode:
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("error:", done.stderr)
            self.assertFalse((self.dir / "f.lpx").exists())
        else:
            self.expect(category)


if __name__ == "__main__":
    tools.main()
