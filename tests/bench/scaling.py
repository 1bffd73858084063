#!/usr/bin/env python3
"""Scaling of the simulator over threads and processes: host time of one, two, ... of each, in rotation.

Compiles TinyLlama's shape with random weights (or --arch) for eight chips that share every layer and runs a few steps,
functional and in timing mode with --all-chips. Times are `host.run_seconds` of the report: from the first step's start to
the last one's end, wall clock. Other work on the machine disturbs them, so the splits alternate and the medians of
their ratios in each round are given, with the least and the largest.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
CASES = {"decode, functional": [], "decode, timing, --all-chips": ["--mode=timing", "--all-chips"]}


def run(binary, program, ranks, threads, arguments, report):
    """Run seconds; the report's steps and tokens, which must not depend on the split."""
    command = [binary, program, f"--threads={threads}", "--report", report, *arguments]
    if ranks > 1:
        command = ["mpirun", "-n", str(ranks), *command]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, **MPI})
    if done.returncode:
        sys.exit(f"{binary}: {done.stderr.strip()[-1000:]}")
    told = json.loads(pathlib.Path(report).read_text())
    return told["host"]["run_seconds"], (told["steps"], told["tokens"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path, help="folder of lpucc and lpu-run")
    parser.add_argument("--arch", default=ROOT / "models" / "arch" / "tinyllama-1.1b.yaml", type=pathlib.Path)
    parser.add_argument("--partition", default="--tp=8", help="options of lpucc, separated by blanks (default: --tp=8)")
    parser.add_argument("--splits", default="1x1,1x2,2x1", help="RANKSxTHREADS, the first is compared with (default: 1x1,1x2,2x1)")
    parser.add_argument("--tokens", default=3, type=int, help="decode steps of a run")
    parser.add_argument("--runs", default=5, type=int)
    args = parser.parse_args()
    splits = [tuple(map(int, s.split("x"))) for s in args.splits.split(",")]
    if not shutil.which("mpirun"):
        splits = [s for s in splits if s[0] == 1]
        print("mpirun is missing: threads only", file=sys.stderr)
    binary = (args.bin / "lpu-run").resolve()
    with tempfile.TemporaryDirectory() as folder:
        program, report = f"{folder}/model.lpx", f"{folder}/report.json"
        subprocess.run([args.bin / "lpucc", f"--arch={args.arch}", "--weights=random:1", "--max-context=64", *args.partition.split(),
                        "-o", program], check=True, stdout=subprocess.DEVNULL)
        print("| case | split | seconds | speed-up | least to largest |\n|---|---|---|---|---|")
        for name, arguments in CASES.items():
            arguments = ["--tokens=1", "-n", str(args.tokens), "--ignore-eos", *arguments]
            seconds, results = {s: [] for s in splits}, []
            for _ in range(args.runs):
                for split in splits:
                    taken, result = run(binary, program, *split, arguments, report)
                    seconds[split].append(taken)
                    results.append(result)
            if any(r != results[0] for r in results):
                sys.exit("error: results depend on the split; the speed of a wrong simulator is no result")
            for split in splits:
                ratios = [one / own for one, own in zip(seconds[splits[0]], seconds[split])]
                print(f"| {name} | {split[0]} rank{'s'[:split[0] > 1]}, {split[1]} thread{'s'[:split[1] > 1]} | {statistics.median(seconds[split]):.2f} "
                      f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
