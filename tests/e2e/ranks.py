#!/usr/bin/python3
"""Chips of one system dealt over threads and over processes: whatever the split, the same bits.

Tokens, logits, cycles, the whole report but for what it says of the host, traces, and seeded faults on links.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import TINY, Case, ids, load_json, run, succeed

from assembly import Assembly

PROMPT = [1, 413, 438, 261, 387, 300, 301, 302, 303, 304, 305, 306]
SYSTEMS = {"tp2": ["--tp=2"], "pp4": ["--tp=1", "--pp=4"], "tp2-pp2": ["--tp=2", "--pp=2"], "tp8": ["--tp=8"], "tp2-pp4": ["--tp=2", "--pp=4"]}
THREADS = [2, 3, 4]
RANKS = [(2, 1), (4, 1), (2, 2)]  # and threads of each
# What root, and more ranks than cores, otherwise need --allow-run-as-root and --oversubscribe for. And for an lpu-run built
# with AddressSanitizer: Open MPI's own leaks are known by whole call stacks.
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
       "ASAN_OPTIONS": "fast_unwind_on_malloc=0",
       "LSAN_OPTIONS": f"print_suppressions=0:suppressions={tools.ROOT / 'tests' / 'support' / 'lsan.supp'}"}


def mpi_missing():
    """Why there cannot be several ranks; None: there can."""
    if not shutil.which("mpirun"):
        return "mpirun is missing; install openmpi-bin"
    needs = subprocess.run(["ldd", str(tools.bin_dir / "lpu-run")], capture_output=True, text=True).stdout
    return None if "libmpi" in needs else "lpu-run was built without MPI"


def mpirun(ranks, program, *args, quiet=True):
    command = ["mpirun", *(["-q"] if quiet else []), "-n", str(ranks), str(tools.bin_dir / "lpu-run"), str(program), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=tools.TIMEOUT,
                          stdin=subprocess.DEVNULL, env={**os.environ, **MPI})

STEP = "decode_64"
FAULT = re.compile(r"error: violation .*")


class Base(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="lpu-ranks-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def program(self, name):
        path = self.folder / f"{name}.lpx"
        if not path.exists():
            succeed("lpucc", TINY, "-o", path, "--max-context=64", *SYSTEMS[name])
        return path

    def launch(self, split, program, *args):
        """The finished process of a run split as `split` says: a number of threads, or (ranks, threads)."""
        if not isinstance(split, tuple):
            return run("lpu-run", program, *args, f"--threads={split}")
        return mpirun(split[0], program, *args, f"--threads={split[1]}")

    def result(self, split, program, *args, name="run"):
        """(report without the host, bytes of the logits, text) of a run."""
        report, logits = self.dir / f"{name}.json", self.dir / f"{name}.npy"
        timing = "--mode=timing" in args
        done = self.launch(split, program, *args, f"--report={report}", *([] if timing else [f"--logits={logits}"]))
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        told = load_json(report)
        host = told.pop("host")
        self.assertEqual((host["ranks"], host["threads"]), split if isinstance(split, tuple) else (1, split))
        del told["host_seconds"]
        self.assert_steps_as_predicted(told)
        return told, None if timing else logits.read_bytes(), done.stdout.rstrip("\n")  # mpirun gives ranks a terminal

    def check(self, name, splits, *args):
        program = self.program(name)
        expected = self.result(1, program, *args)
        for split in splits:
            with self.subTest(system=name, split=split, args=args):
                self.assertEqual(self.result(split, program, *args), expected)


    def need_mpi(self):
        if missing := mpi_missing():
            self.skipTest(missing)


class Threads(Base):
    def test_values(self):
        for name in SYSTEMS:
            self.check(name, THREADS if name == "tp2-pp2" else [3], f"--tokens={ids(PROMPT)}", "-n", 4, "--ignore-eos")

    def test_sampling(self):
        self.check("tp2-pp2", [3], "--prompt", "Once upon a time", "-n", 12, "--temperature=0.9", "--seed=5")

    def test_timing(self):
        for name in SYSTEMS:
            args = (f"--tokens={ids(PROMPT)}", "-n", 4, "--mode=timing")
            self.check(name, [3], *args)
            self.check(name, [2], *args, "--all-chips")
            program = self.program(name)
            self.assertEqual(self.result(1, program, *args), self.result(2, program, *args, "--all-chips"))

    def test_the_clocked_engine_agrees_and_has_one_thread(self):
        program = self.program("tp2-pp2")
        args = ("--tokens=1,413", "-n", 1, "--ignore-eos")
        told, logits, text = self.result(1, program, *args, "--engine=clocked")
        split, other_logits, other_text = self.result(2, program, *args)
        del told["engine"], split["engine"]
        self.assertEqual((told, logits, text), (split, other_logits, other_text))
        done = run("lpu-run", program, *args, "--engine=clocked", "--threads=2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--engine=clocked moves all chips in step", done.stderr)

    def test_traces(self):
        program, traces = self.program("tp2-pp2"), []
        for threads in (1, 3):
            traces.append(self.dir / f"{threads}.json")
            succeed("lpu-run", program, "--tokens=1,413", "-n", 1, "--ignore-eos", f"--threads={threads}", f"--trace={traces[-1]}")
        load_json(traces[0])
        self.assert_same_file(*traces)

    def test_more_threads_than_chips(self):
        self.check("tp2", [64], "--tokens=1", "-n", 1, "--ignore-eos")

    def test_progress_where_it_is_asked_for(self):
        program = self.program("tp2")
        self.assertIn("step 1 of 2, position 0", succeed("lpu-run", program, "--tokens=1", "-n", 2, "--ignore-eos", "--progress").stderr)
        self.assertNotIn("step 1", succeed("lpu-run", program, "--tokens=1", "-n", 2, "--ignore-eos").stderr)


class Processes(Base):
    def setUp(self):
        super().setUp()
        self.need_mpi()

    def test_values_on_ranks(self):
        for name in SYSTEMS:
            self.check(name, RANKS if name == "tp2-pp2" else [(3, 1)], f"--tokens={ids(PROMPT)}", "-n", 4, "--ignore-eos")

    def test_sampling_on_ranks(self):
        self.check("tp2-pp2", [(3, 1)], "--prompt", "Once upon a time", "-n", 12, "--temperature=0.9", "--seed=5")

    def test_timing_on_ranks(self):
        for name in ("tp2-pp2", "tp8", "pp4"):
            args = (f"--tokens={ids(PROMPT)}", "-n", 4, "--mode=timing")
            self.check(name, [(2, 1)], *args)
            self.check(name, [(4, 2)], *args, "--all-chips")

    def test_perplexity_on_ranks(self):
        """Every window begins with an empty cache, on every rank."""
        text = self.dir / "text.txt"
        text.write_text("Once upon a time, there was a little girl named Lily. " * 4)
        self.check("tp2-pp2", [(2, 1)], f"--perplexity={text}")

    def test_more_ranks_than_chips(self):
        self.check("tp2", [(3, 2)], "--tokens=1", "-n", 1, "--ignore-eos")

    def test_one_rank_is_a_run_like_any(self):
        self.check("tp2", [(1, 1)], "--tokens=1", "-n", 1, "--ignore-eos")


class Errors(Base):
    """Whatever goes wrong on several ranks, there is one line, the right exit code, and no file."""

    def setUp(self):
        super().setUp()
        self.need_mpi()

    def fails(self, code, line, *args):
        done = mpirun(3, *args)
        told = [l for l in done.stderr.splitlines() if "error: " in l]
        self.assertEqual((done.returncode, len(told)), (code, 1), done.stderr[-1000:])
        self.assertRegex(told[0], line)
        self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), self.before)

    def test_errors(self):
        broken = self.dir / "broken.lpx"
        broken.write_bytes(self.program("tp2").read_bytes()[:5000])
        self.before = ["broken.lpx"]
        program, report = self.program("tp2-pp2"), f"--report={self.dir / 'r.json'}"
        self.fails(2, "--threads: .* not 'none'", program, "--tokens=1", "--threads=none")
        self.fails(1, "nowhere.lpx", self.dir / "nowhere.lpx", "--tokens=1")
        self.fails(1, "broken.lpx", broken, "--tokens=1")
        self.fails(1, "token 99999", program, "--tokens=99999", report)
        self.fails(1, "start it without mpirun", program, "--tokens=1", "--engine=clocked", report)
        self.fails(1, "--trace is written by", program, "--tokens=1", f"--trace={self.dir / 't.json'}")

    def test_a_rank_that_cannot_read_the_program(self):
        self.before = ["there.lpx"]
        there = self.dir / "there.lpx"
        shutil.copy(self.program("tp2-pp2"), there)
        wrapper = self.folder / "elsewhere.sh"
        tool = tools.bin_dir / "lpu-run"
        wrapper.write_text(f'#!/bin/sh\nif [ "$OMPI_COMM_WORLD_RANK" = 2 ]; then cd "{self.folder}"; fi\nexec "{tool}" "$@"\n')
        wrapper.chmod(0o755)
        for other, line in ((None, "on rank 2: .*there.lpx"), ("tp2", "on rank 2: the program is not the one of rank 0")):
            if other:  # another program under the same name
                shutil.copy(self.program(other), self.folder / "there.lpx")
            done = subprocess.run(["mpirun", "-q", "-n", "3", str(wrapper), "there.lpx", "--tokens=1"], capture_output=True, text=True,
                                  cwd=self.dir, env={**os.environ, **MPI}, timeout=tools.TIMEOUT, stdin=subprocess.DEVNULL)
            told = [l for l in done.stderr.splitlines() if "error: " in l]
            self.assertEqual((done.returncode, len(told)), (1, 1), done.stderr[-1000:])
            self.assertRegex(told[0], line)
        (self.folder / "there.lpx").unlink()


class Faults(Base):
    """Faults on the links of two stages of two chips, as in link-nets.py: whoever runs what, the same line is reported."""

    def setUp(self):
        super().setUp()
        source = self.program("tp2-pp2")
        text = succeed("lpu-objdump", "--asm", source).stdout
        self.classes = re.findall(r'^\.class "(\S+)"', text, re.M)
        self.text = text

    def edit(self, number):
        self.assembly = Assembly(self.text, STEP, self.classes[number])
        return self.assembly

    def restart(self, chip, by):
        lines = self.assembly.lines
        at = [i for i, l in enumerate(lines) if l.startswith(".chip")][chip]
        lines[at] = re.sub(r"start=(\d+)", lambda m: f"start={int(m[1]) + by}", lines[at])

    def same_fault(self, *categories, splits=(1, 3, (2, 1))):
        """One thread, several, and several ranks; `splits`: where more of them are worth their time."""
        source, out = self.dir / "f.s", self.dir / "f.lpx"
        source.write_text(self.assembly.text())
        succeed("lpu-as", source, f"--image={self.program('tp2-pp2')}", "-o", out)
        for args in (["--mode=functional"], ["--mode=timing"], ["--mode=timing", "--all-chips"]):
            faults = {}
            for split in splits:
                if isinstance(split, tuple) and mpi_missing():
                    continue
                done = self.launch(split, out, "--tokens=1", "-n", 0, *args)
                self.assertEqual(done.returncode, 3, done.stderr[-500:])
                found = FAULT.findall(done.stderr)
                self.assertEqual(len(found), 1, done.stderr[-500:])
                faults[split] = found[0]
            self.assertEqual(len(set(faults.values())), 1, faults)
            self.assertIn(re.search(r"violation (\S+)", faults[1])[1], categories)

    def test_a_chip_that_starts_late(self):
        self.edit(0)
        self.restart(1, 1)
        self.same_fault("link-empty", splits=[1, *THREADS, *RANKS])

    def test_a_stage_that_starts_early(self):
        self.edit(1)
        self.restart(2, -1)
        self.restart(3, -1)
        self.same_fault("link-empty")

    def test_a_missing_send(self):
        self.edit(0).drop("c2c.10", r"^  send")
        self.same_fault("link-empty")

    def test_a_missing_send_inside_a_stage(self):
        self.edit(1).drop("c2c.0", r"^  send", 3)
        self.same_fault("link-empty")

    def test_a_missing_receive(self):
        self.edit(1).drop("c2c.1", r"^  receive")
        self.same_fault("empty-stream")

    def test_a_receive_too_many(self):
        self.edit(1).append("c2c.1", "nop 200", "receive stream=w31")
        self.same_fault("link-empty")

    def test_a_vector_nobody_receives(self):
        assembly = self.edit(0)
        end = assembly.queue("c2c.10")[1]
        send = max(i for i in range(end) if assembly.lines[i].startswith("  send"))
        assembly.lines[send + 1:send + 1] = ["  repeat count=1 interval=24 window=1"]
        self.same_fault("empty-stream", "lost-vector")

    def test_an_over_booked_link(self):
        assembly = self.edit(0)
        first = assembly.find("c2c.10", r"^  send")
        assembly.wait(next(i for i in range(first, len(assembly.lines)) if "nop 23" in assembly.lines[i]), -1)
        self.same_fault("link-busy")

    def test_a_wire_that_is_missing(self):
        assembly = self.edit(0)
        assembly.lines = [l for l in assembly.lines if l != ".wire 0 10 2 1"]
        self.same_fault("link-unconnected")

    def test_a_word_that_is_legal_nowhere(self):
        """Nobody knows beforehand when such a queue sends and receives."""
        self.edit(0).append("c2c.10", "nop 20", "sync")
        self.same_fault("overrun")

    def test_a_chip_that_never_starts(self):
        assembly = self.edit(0)
        assembly.lines[next(i for i in range(assembly.begin(), len(assembly.lines)) if assembly.lines[i] == "  notify")] = "  sync"
        self.same_fault("link-empty", "overrun")


if __name__ == "__main__":
    tools.main()
