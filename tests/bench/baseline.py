#!/usr/bin/env python3
"""What every shape costs, for comparing one compiler with another: cycles, chips, compile time and memory.

Lines are all shapes of models/arch, by default partition and by --tp=8, at contexts of 512 and 2048; BERT-base for up to
128 tokens; the embedded model; and the shape of stories260K, which is written here. Cycles are those of whole systems,
hand-over included, of every step. Seconds and bytes are the compiler's own, CPU time of all its threads.

  tests/bench/baseline.py --output=now.json                measure what now.json does not have from this build
  tests/bench/baseline.py --output=now.json --against=tests/bench/baseline.json     and compare
  tests/bench/baseline.py --output=now.json --against=tests/bench/baseline.json --compare-only

The comparison prints geometric means of the ratios and every line that is worse by more than half a percent. It exits
with 1 if there is one, or if a line needs more chips or no longer compiles.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCH = pathlib.PurePosixPath("models/arch")
WORSE = 1.005  # more than noise of rounding in a list schedule
CONTEXTS = (512, 2048)
PARTITIONS = {"default": [], "tp8": ["--tp=8"]}
# Sizes of the public stories260K (docs/validation.md); the file itself is not needed to time its steps.
STORIES = """name: stories260K
source: https://huggingface.co/karpathy/tinyllamas/tree/main/stories260K
architecture: llama
layers: 5
hidden: 64
heads: 8
kv_heads: 4
head_dim: 8
ffn: 172
vocabulary: 512
context: 512
norm_eps: 1e-05
rope_base: 10000
tied_embeddings: true
"""


def is_encoder(shape):
    return "architecture: bert" in (ROOT / shape).read_text()


def lines(folder):
    """Name and arguments of every line; `folder` is for shapes that are in no file of the repository."""
    found = {}
    for file in sorted((ROOT / ARCH).glob("*.yaml")):
        shape = ["--arch=" + str(ARCH / file.name), "--weights=none"]
        if is_encoder(ARCH / file.name):
            found[f"{file.stem} 128"] = [*shape, "--max-context=128"]
            continue
        for partition, flags in PARTITIONS.items():
            for context in CONTEXTS:
                found[f"{file.stem} {partition} {context}"] = [*shape, *flags, f"--max-context={context}"]
    found["tiny"] = ["models/tiny/model.gguf"]
    stories = folder / "stories260k.yaml"
    stories.write_text(STORIES)
    found["stories260k"] = [f"--arch={stories}", "--weights=none"]
    return found


def compile_line(lpucc, arguments):
    """What one compilation says and takes: a dictionary for the file."""
    with tempfile.TemporaryDirectory() as folder:
        report, said = pathlib.Path(folder, "report.json"), pathlib.Path(folder, "stderr")
        command = [lpucc, *arguments, "-o", pathlib.Path(folder, "out.lpx"), f"--report={report}"]
        with said.open("w") as errors:
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            last = said.read_text().strip().splitlines()[-1:] or ["no message"]
            return {"error": f"exit {child.returncode}: {last[0]}"}
        result = json.loads(report.read_text())
    return {"build": result["build"], "chips": result["chips"], "tp": result["system"]["tp"], "pp": result["system"]["pp"],
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2), "peak_bytes": usage.ru_maxrss * 1024,
            "steps": {s["name"]: {"kind": s["kind"], "cycles": s["predicted_cycles"], "bound": s["lower_bound_cycles"]}
                      for s in result["system"]["steps"]}}


def version_of(lpucc):
    return subprocess.run([lpucc, "--version"], check=True, capture_output=True, text=True).stdout.strip()


def write(path, document):
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    beside.replace(path)


def measure(args, lpucc):
    """Measures the lines that are missing, and writes the file after each."""
    version = version_of(lpucc)
    document = json.loads(args.output.read_text()) if args.output.exists() else {}
    if document.get("version") != version:
        document = {"schema": "lpu-bench-baseline", "schema_version": 1, "version": version, "lines": {}}
    lock = threading.Lock()
    with tempfile.TemporaryDirectory() as folder:
        wanted = {name: arguments for name, arguments in lines(pathlib.Path(folder)).items()
                  if "error" in document["lines"].get(name, {"error": ""}) and (not args.only or args.only in name)}

        def run(item):
            name, arguments = item
            line = compile_line(lpucc, arguments)
            with lock:
                document["lines"][name] = line
                write(args.output, document)
                print(f"{name}: {line.get('error') or '%.1f s, %d chips' % (line['cpu_seconds'], line['chips'])}", flush=True)

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(run, wanted.items()))
    return document


class Ratios:
    """Ratios of one kind of figure, now over before, by what they belong to."""

    def __init__(self):
        self.of = {}

    def add(self, name, now, before):
        if now and before:
            self.of[name] = now / before

    def mean(self):
        return math.exp(sum(map(math.log, self.of.values())) / len(self.of)) if self.of else math.nan

    def row(self, name):
        if not self.of:
            return f"{name:10} no lines"
        best, worst = min(self.of, key=self.of.get), max(self.of, key=self.of.get)
        return (f"{name:10} {len(self.of):4} ratios, geometric mean {self.mean():.4f}, "
                f"best {self.of[best]:.4f} ({best}), worst {self.of[worst]:.4f} ({worst})")


def compare(now, before):
    """Prints means and what is worse; the number of lines that are."""
    kinds = {kind: Ratios() for kind in ("decode", "prefill", "encode", "seconds", "memory")}
    faults = []
    for name, old in sorted(before["lines"].items()):
        new = now["lines"].get(name)
        if new is None:
            continue
        if "error" in new or "error" in old:
            if "error" not in old:
                faults.append(f"{name}: no longer compiles: {new['error']}")
            continue
        if new["chips"] > old["chips"]:
            faults.append(f"{name}: {new['chips']} chips instead of {old['chips']}")
        kinds["seconds"].add(name, new["cpu_seconds"], old["cpu_seconds"])
        kinds["memory"].add(name, new["peak_bytes"], old["peak_bytes"])
        for step, figures in old["steps"].items():
            if step not in new["steps"]:
                faults.append(f"{name}: has no step '{step}' any more")
                continue
            cycles, label = new["steps"][step]["cycles"], f"{name} {step}"
            kinds[figures["kind"]].add(label, cycles, figures["cycles"])
            if cycles > WORSE * figures["cycles"]:
                faults.append(f"{label}: {cycles:,} cycles instead of {figures['cycles']:,}")
    for kind, ratios in kinds.items():
        print(ratios.row(kind))
    missing = before["lines"].keys() - now["lines"].keys()
    print(f"{len(before['lines']) - len(missing)} of {len(before['lines'])} lines compared, {len(faults)} worse")
    for fault in faults:
        print("  " + fault)
    return len(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path,
                        help="folder of lpucc (default: build/release/bin)")
    parser.add_argument("--output", required=True, type=pathlib.Path, help="file of results, read and completed")
    parser.add_argument("--against", type=pathlib.Path, help="results to compare with")
    parser.add_argument("--compare-only", action="store_true", help="measure nothing")
    parser.add_argument("--only", help="lines whose name holds this text")
    parser.add_argument("--jobs", type=int, default=1, help="compilations at once (default: 1)")
    args = parser.parse_args()
    if args.compare_only:
        if not args.against or not args.output.exists():
            sys.exit("error: --compare-only needs --against and an --output that is there")
        now = json.loads(args.output.read_text())
    else:
        lpucc = (args.bin / "lpucc").resolve()
        if not lpucc.exists():
            sys.exit(f"error: {lpucc} is missing; build first: ninja -C build/release lpucc")
        print("compiler: " + shlex.quote(str(lpucc)), flush=True)
        now = measure(args, lpucc)
    if args.against and compare(now, json.loads(args.against.read_text())):
        sys.exit(1)


if __name__ == "__main__":
    main()
