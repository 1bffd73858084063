#!/usr/bin/env python3
"""Speed of the simulator on the host: tokens and simulated cycles per host second.

Compiles models/tiny, runs each case several times and prints a table of medians.
Seconds are CPU seconds of the whole process, program loading included, which is
one core: the simulator has one thread. They differ between machines, so every run
is also given as a multiple of the time one core needs to read the compiled program once from memory, and with
--baseline as a ratio to another build that was run in turns with this one.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "models" / "tiny"
CASES = {
    "decode, functional": ["-n", "64", "--ignore-eos", "--prompt", "Once upon a time"],
    "decode, timing": ["-n", "64", "--ignore-eos", "--prompt", "Once upon a time", "--mode", "timing"],
    "prefill, functional": ["--perplexity", "text.txt"],
}


def run(binary, program, arguments, report):
    """One run's report, its steps summed up."""
    before = cpu_seconds()
    done = subprocess.run([binary, program, *arguments, "--report", report], capture_output=True, text=True,
                          cwd=pathlib.Path(report).parent)
    if done.returncode:
        sys.exit(f"{binary}: {done.stderr.strip()}")
    result = json.loads(pathlib.Path(report).read_text())
    cycles = sum(step["simulated_cycles"] for step in result["steps"])
    if cycles != sum(step["predicted_cycles"] for step in result["steps"]):
        sys.exit(f"error: {binary}: predicted and simulated cycles differ; a wrong simulator's speed is no result")
    tokens = sum(step["tokens"] for step in result["steps"])
    return tokens, cycles, cpu_seconds() - before


def cpu_seconds():
    """CPU time of all finished runs: other work on the machine disturbs it less than wall-clock time."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def read_once(program):
    """Seconds to read the program's bytes from memory, once, on one core: half a comparison of two copies."""
    one = pathlib.Path(program).read_bytes()
    other = bytearray(one)
    begin = time.process_time()
    if one != other:
        raise AssertionError
    return (time.process_time() - begin) / 2


def measure(binaries, program, arguments, runs, report):
    """Per binary: tokens, cycles, median host seconds; the binaries take turns."""
    seconds = [[] for _ in binaries]
    for _ in range(runs):
        for index, binary in enumerate(binaries):
            tokens, cycles, host = run(binary, program, arguments, report)
            seconds[index].append(host)
    return tokens, cycles, [statistics.median(s) for s in seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path,
                        help="folder of lpucc and lpu-run (default: build/release/bin)")
    parser.add_argument("--baseline", type=pathlib.Path, help="an lpu-run to compare with")
    parser.add_argument("--model", default=TINY / "model.gguf", type=pathlib.Path)
    parser.add_argument("--runs", default=5, type=int)
    args = parser.parse_args()
    binaries = [(args.bin / "lpu-run").resolve()] + ([args.baseline.resolve()] if args.baseline else [])
    for binary in [args.bin / "lpucc", *binaries]:
        if not binary.exists():
            parser.error(f"{binary}: no such program; build it, or give --bin")

    with tempfile.TemporaryDirectory() as folder:
        program, report = f"{folder}/model.lpx", f"{folder}/report.json"
        text = (TINY / "eval-text.txt").read_bytes()[:400]
        pathlib.Path(folder, "text.txt").write_bytes(text)
        subprocess.run([args.bin / "lpucc", args.model, "-o", program], check=True)
        print("| case | tokens/s | Mcycles/s | reads of the program per token |" + (" speed-up |" if args.baseline else ""))
        print("|---|---|---|---|" + ("---|" if args.baseline else ""))
        for name, arguments in CASES.items():
            read = statistics.median(read_once(program) for _ in range(args.runs))
            tokens, cycles, seconds = measure(binaries, program, arguments, args.runs, report)
            row = f"| {name} | {tokens / seconds[0]:.0f} | {cycles / seconds[0] / 1e6:.2f} | {seconds[0] / tokens / read:.2f} |"
            print(row + (f" {seconds[1] / seconds[0]:.2f} |" if args.baseline else ""), flush=True)


if __name__ == "__main__":
    main()
