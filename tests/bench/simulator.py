#!/usr/bin/env python3
"""Speed of the simulator on the host: tokens and simulated cycles per host second.

Compiles models/tiny, or with --layers a random model of TinyLlama's layers, runs each case several times and prints a
table of medians. Seconds are CPU seconds of one process, which is one core: the simulator has one thread. Of each case
a short and a long run are made, and what the longer one takes more is what its additional steps cost, so that loading
the program and digesting memory do not count. Machines differ, so every case is also given as a multiple of the
time one core needs to read the compiled program once from memory, and with --baseline as a ratio to another build that
was run in turns with this one.
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
DECODE = ["--ignore-eos", "--prompt", "Once"]
# Case -> arguments of a short and of a long run.
CASES = {
    "decode, functional": (["-n", "2", *DECODE], ["-n", "42", *DECODE]),
    "decode, timing": (["-n", "2", *DECODE, "--mode", "timing"], ["-n", "42", *DECODE, "--mode", "timing"]),
    "prefill, functional": (["--perplexity", "short.txt"], ["--perplexity", "long.txt"]),
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
    """Tokens and cycles by which the long run exceeds the short one, and per binary the median of the seconds it takes
    more; the binaries take turns."""
    seconds = [[] for _ in binaries]
    for _ in range(runs):
        for index, binary in enumerate(binaries):
            short, long = (run(binary, program, a, report) for a in arguments)
            tokens, cycles, host = (b - a for a, b in zip(short, long))
            seconds[index].append(host)
    return tokens, cycles, [statistics.median(s) for s in seconds]


def write_layers(path, layers):
    """A random model with TinyLlama's layers and a small vocabulary."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import gguf
    gguf.write(path, gguf.Model(layers=layers, hidden=2048, heads=32, kv_heads=4, ffn=5632, vocabulary=512, context=64,
                                tokenizer="llama"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path,
                        help="folder of lpucc and lpu-run (default: build/release/bin)")
    parser.add_argument("--baseline", type=pathlib.Path, help="an lpu-run to compare with")
    parser.add_argument("--model", default=TINY / "model.gguf", type=pathlib.Path)
    parser.add_argument("--layers", type=int, help="instead of --model: this many layers of TinyLlama's shape, random")
    parser.add_argument("--runs", default=5, type=int)
    args = parser.parse_args()
    binaries = [(args.bin / "lpu-run").resolve()] + ([args.baseline.resolve()] if args.baseline else [])
    for binary in [args.bin / "lpucc", *binaries]:
        if not binary.exists():
            parser.error(f"{binary}: no such program; build it, or give --bin")

    with tempfile.TemporaryDirectory() as folder:
        program, report = f"{folder}/model.lpx", f"{folder}/report.json"
        text = (TINY / "eval-text.txt").read_bytes()
        pathlib.Path(folder, "short.txt").write_bytes(text[:40])
        pathlib.Path(folder, "long.txt").write_bytes(text[:400])
        if args.layers:
            args.model = f"{folder}/layers.gguf"
            write_layers(args.model, args.layers)
            del CASES["prefill, functional"]
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
