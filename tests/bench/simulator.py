#!/usr/bin/env python3
"""Speed of the simulator on the host: tokens and simulated cycles per host second.

Compiles models/tiny, or with --layers a random model of TinyLlama's layers, runs each case several times and prints a
table of medians. Seconds are CPU seconds of one process, which is one core: the simulator has one thread. Of each case
a short and a long run are made, and what the longer one takes more is what its additional steps cost, so that loading
the program and digesting memory do not count. Machines differ, so every case is also given as a multiple of the
time one core needs to read the compiled program once from memory, and with --baseline as a ratio to another build that
was run alternating with this one.
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


LAYER = """name: layer of Llama-3-8B
source: one layer of Llama-3-8B between an embedding and a head of 320 tokens
architecture: llama
layers: 1
hidden: 4096
heads: 32
kv_heads: 8
head_dim: 128
ffn: 14336
vocabulary: 320
context: 8192
norm_eps: 1e-05
rope_base: 500000
tied_embeddings: false
"""


def run(binary, program, arguments, report, chip_class=None):
    """One run's report, its steps summed up: tokens, cycles (of one chip class, or of whole steps), CPU seconds."""
    before = cpu_seconds()
    done = subprocess.run([binary, program, *arguments, "--report", report], capture_output=True, text=True,
                          cwd=pathlib.Path(report).parent)
    if done.returncode:
        sys.exit(f"{binary}: {done.stderr.strip()}")
    result = json.loads(pathlib.Path(report).read_text())
    cycles = sum(step["simulated_cycles"] for step in result["steps"])
    if cycles != sum(step["predicted_cycles"] for step in result["steps"]):
        sys.exit(f"error: {binary}: predicted and simulated cycles differ; a wrong simulator's speed is no result")
    if chip_class:
        cycles = sum(step["chip_class_cycles"][chip_class] for step in result["steps"])
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


def measure(binaries, program, arguments, runs, report, chip_class=None):
    """Tokens and cycles by which the long run exceeds the short one, and per binary the median of the seconds it takes
    more; the binaries alternate."""
    seconds = [[] for _ in binaries]
    for _ in range(runs):
        for index, binary in enumerate(binaries):
            short, long = (run(binary, program, a, report, chip_class) for a in arguments)
            tokens, cycles, host = (b - a for a, b in zip(short, long))
            seconds[index].append(host)
    return tokens, cycles, [statistics.median(s) for s in seconds]


def write_layers(path, layers):
    """A random model with TinyLlama's layers and a small vocabulary."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import gguf
    gguf.write(path, gguf.Model(layers=layers, hidden=2048, heads=32, kv_heads=4, ffn=5632, vocabulary=512, context=64,
                                tokenizer="llama"))


def bars(args, folder, binary):
    """The cases the simulator is judged by, each with its bar."""
    print("| case | bar | measured |")
    print("|---|---|---|")
    program, report = f"{folder}/program.lpx", f"{folder}/report.json"

    def case(name, bar, compile_options, arguments, chip_class, figure):
        subprocess.run([args.bin / "lpucc", *compile_options, "-o", program], check=True, stdout=subprocess.DEVNULL)
        tokens, cycles, seconds = measure([binary], program, arguments, args.runs, report, chip_class)
        host = json.loads(pathlib.Path(report).read_text())["host"]
        # Afterwards: a child's peak of memory begins with its parent's.
        read = statistics.median(read_once(program) for _ in range(args.runs))
        size = pathlib.Path(program).stat().st_size
        print(f"| {name} | {bar} | {figure(tokens, cycles, seconds[0], read, host['peak_rss_bytes'], size)} |", flush=True)

    def runs(short, long, *options):
        return [[*options, "-n", str(short)], [*options, "-n", str(long)]]

    case("embedded model, functional decode", "≥ 100 tokens/s", [TINY / "model.gguf"], runs(2, 202, *DECODE), None,
         lambda tokens, cycles, seconds, read, peak, size: f"{tokens / seconds:.0f} tokens/s")
    case("one layer of Llama-3-8B and a head of 320 tokens, decode, timing", "≥ 10 Mcycles/s of the layer's chip",
         [f"--arch={folder}/layer.yaml", "--tp=1", "--pp=1", "--max-context=512", "--weights=none"],
         runs(2, 202, "--mode=timing", "--prompt-tokens", "1"), "layers.1+lm_head",
         lambda tokens, cycles, seconds, read, peak, size: f"{cycles / seconds / 1e6:.1f} Mcycles/s")
    case("TinyLlama-1.1B, functional decode", "≤ 3 readings of the program, ≤ 1.3 × its size + 500 MB",
         [f"--arch={ROOT}/models/arch/tinyllama-1.1b.yaml", "--weights=random:1", "--max-context=64"],
         runs(2, 22, "--tokens", "1"), None,
         lambda tokens, cycles, seconds, read, peak, size:
         f"{seconds / tokens / read:.2f} readings ({seconds / tokens * 1e3:.0f} ms a token, {size / read / 1e9:.0f} GB/s), "
         f"{(peak - 5e8) / size:.2f} × + 500 MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path,
                        help="folder of lpucc and lpu-run (default: build/release/bin)")
    parser.add_argument("--baseline", type=pathlib.Path, help="an lpu-run to compare with")
    parser.add_argument("--model", default=TINY / "model.gguf", type=pathlib.Path)
    parser.add_argument("--layers", type=int, help="instead of --model: this many layers of TinyLlama's shape, random")
    parser.add_argument("--bars", action="store_true",
                        help="instead: the embedded model, a layer of Llama-3-8B and TinyLlama-1.1B beside what they must reach")
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
        if args.bars:
            pathlib.Path(folder, "layer.yaml").write_text(LAYER)
            bars(args, folder, binaries[0])
            return
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
