#!/usr/bin/env python3
"""Quality of schedules and cost of compiling them: large models by shape, against the bounds they are judged by.

Each row compiles a shape of models/arch without weights and compares what `lpucc --report` says with a figure that does
not come from the compiler: the time the streams need for the model's own weights, the MXM's rate, or a limit of host
time and memory. --markdown writes the table of docs/performance.md, with the command of every row.
"""

import argparse
import json
import pathlib
import resource
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCH = "models/arch"
STREAM_BYTES = 20_480  # a cycle, all four planes (docs/spec/timing.md)
MACS = 409_600         # a cycle, int8, all four planes
CLOCK_HZ = 0.9e9


def linear_weights(shape):
    """Weights of one layer's matrices, unpadded; int8, so bytes as well."""
    h, f = shape["hidden"], shape["ffn"]
    q, kv = shape["heads"] * shape["head_dim"], shape["kv_heads"] * shape["head_dim"]
    return h * (q + 2 * kv) + q * h + 3 * h * f


def read_shape(name):
    """The numbers of a shape file: `key: value` lines."""
    shape = {}
    for line in (ROOT / ARCH / f"{name}.yaml").read_text().splitlines():
        key, _, value = line.partition(":")
        value = value.split("#")[0].strip()
        if value.isdigit():
            shape[key.strip()] = int(value)
    shape.setdefault("head_dim", shape["hidden"] // shape["heads"])
    return shape


class Row:
    """A row of the table: the command, what it measures, and the bar it is held against."""

    def __init__(self, case, model, flags, bar, measure, against=None):
        self.case, self.model, self.flags, self.bar, self.measure = case, model, flags, bar, measure
        self.against = against  # flags of a compilation to compare with, whose report `measure` finds as `reference`

    def command(self):
        return ["lpucc", f"--arch={ARCH}/{self.model}.yaml", "--weights=none", *self.flags]

    def run(self, lpucc, folder):
        if self.against:
            other = Row(self.case, self.model, self.against, self.bar, lambda _, report: (report, None))
            self.reference, said = other.run(lpucc, folder)
            if self.reference is None:
                return None, said
        report, output = folder / "report.json", folder / "out.lpx"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        done = subprocess.run([lpucc, *self.command()[1:], "-o", output, "--report", report], cwd=ROOT,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        output.unlink(missing_ok=True)
        if done.returncode:
            return None, done.stderr.strip().splitlines()[-1]
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        result = json.loads(report.read_text())
        result["host"] = {"wall": wall, "cpu": cpu, "peak_bytes": after.ru_maxrss * 1024}
        value, details = self.measure(self, result)
        return value, f"{details}; {whole_system(result['system'])}"


def whole_system(system):
    """What the compiled program does from end to end, hand-over included."""
    host = system["with_host"]
    return (f"whole system: {system['throughput_tokens_per_second']:,.0f} tokens/s of {system['users']} user(s), "
            f"{host['tokens_per_second_per_user']:,.0f} tokens/s of a user with the host, "
            f"prompt of {system['ttft_prompt_tokens']} at {host['prefill_tokens_per_second']:,.0f} tokens/s with the host")


def decode_programs(report, context):
    """Programs of decode steps at a context, one per chip class."""
    return [p for p in report["programs"] if p["kind"] == "decode" and p["context"] == context]


def hand_over(program):
    """Cycles of the phases that take vectors from the stage before and give them to the next."""
    return sum(p["cycles"] for p in program["phases"] if p["name"] in ("receive residual", "send residual"))


def layer_cycles(report, context):
    """Of the slowest chip that holds one layer, in a decode step, without the hand-over."""
    layers = [p for p in decode_programs(report, context) if len(p["layers"]) == p["chips"]]
    return max(p["predicted_cycles"] - hand_over(p) for p in layers)


def layer_over_one_user(context):
    def measure(row, report):
        together, alone = layer_cycles(report, context), layer_cycles(row.reference, context)
        return together / alone, f"{together:,} cycles a layer, {alone:,} with one user"
    return measure


def layer_over_stream(context):
    def measure(row, report):
        floor = linear_weights(read_shape(row.model)) / STREAM_BYTES
        worst = layer_cycles(report, context)
        return worst / floor, f"{worst:,} cycles a layer without hand-over, floor {floor:,.0f}"
    return measure


def token_over_bound(row, report):
    step = next(s for s in report["system"]["steps"] if s["kind"] == "decode" and s["context"] == 512)
    cycles, bound = step["predicted_cycles"], step["lower_bound_cycles"]
    return cycles / bound, f"{cycles:,} cycles, bound {bound:,}, {report['system']['chips']} chips"


def tokens_per_second(row, report):
    system = report["system"]
    return system["tokens_per_second_per_user"], f"{system['chips']} chips, tp {system['tp']}, pp {system['pp']}, {system['token_latency_cycles']:,} cycles"


def mxm_rate(tokens):
    """Share of the MXM's rate over a prompt, each chunk in the program with the smallest context that holds it."""
    def measure(row, report):
        shape = read_shape(row.model)
        steps = [p for p in report["programs"] if p["kind"] == "prefill" and len(p["layers"]) == p["chips"]]
        size = max(p["tokens"] for p in steps)
        cycles = chunks = 0
        for at in range(0, tokens, size):
            end = min(at + size, tokens)
            context = min(p["context"] for p in steps if p["tokens"] == size and p["context"] >= end)
            cycles += max(p["predicted_cycles"] - hand_over(p) for p in steps if (p["tokens"], p["context"]) == (size, context))
            chunks += 1
        rate = 2 * linear_weights(shape) * tokens / (MACS * cycles)
        return rate, f"{chunks} chunks of {size}, {cycles:,} cycles a layer"
    return measure


def host_seconds(row, report):
    host = report["host"]
    return host["cpu"], f"{host['wall']:.1f} s wall, {host['peak_bytes'] / 1e9:.2f} GB"


ROWS = [
    Row("decode, a layer without hand-over ÷ weight stream", "llama-3-8b", ["--tp=1", "--pp=32", "--max-context=512"], "≤ 1.25", layer_over_stream(512)),
    Row("decode on groups of 8, whole token ÷ lower bound", "llama-3-8b", ["--tp=8", "--max-context=512"], "≤ 1.3", token_over_bound),
    Row("eight users, a layer without hand-over ÷ one user", "llama-3-8b", ["--tp=1", "--pp=32", "--max-context=256", "--kv-type=int8", "--batch=8"], "≤ 1.3",
        layer_over_one_user(256), against=["--tp=1", "--pp=32", "--max-context=256", "--kv-type=int8"]),
    Row("576 chips, fastest, tokens/s of a user", "llama-2-70b", ["--chips=576", "--fastest", "--max-context=512"], "≥ 800", tokens_per_second),
    Row("prefill of 512, a layer without hand-over, share of the MXM", "llama-3-8b", ["--tp=1", "--pp=32", "--max-context=512", "--kv-type=int8", "--prompt-tokens=512"], "≥ 0.75", mxm_rate(512)),
    Row("context 4096, tokens/s of a user", "llama-3-8b", ["--max-context=4096"], "compiles", tokens_per_second),
    Row("context 8192, tokens/s of a user", "llama-3-8b", ["--max-context=8192"], "compiles", tokens_per_second),
    Row("compile, CPU seconds", "llama-2-70b", ["--chips=576", "--max-context=512"], "≤ 120 s, 8 GB", host_seconds),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path, help="folder of lpucc (default: build/release/bin)")
    parser.add_argument("--only", help="rows whose case or model holds this text")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown, with commands")
    args = parser.parse_args()
    lpucc = (args.bin / "lpucc").resolve()
    if not lpucc.exists():
        sys.exit(f"error: {lpucc} is missing; build first: scripts/setup.sh lpucc")
    if args.markdown:
        print("| model | case | bar | measured | details | command |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if args.only and args.only not in row.case + " " + row.model:
                continue
            value, details = row.run(lpucc, pathlib.Path(folder))
            shown = "–" if value is None else f"{value:,.3f}" if value < 10 else f"{value:,.1f}"
            if args.markdown:
                print(f"| {row.model} | {row.case} | {row.bar} | {shown} | {details} | `{shlex.join(row.command())}` |")
            else:
                print(f"{row.model}: {row.case}: {shown} (bar {row.bar}); {details}", flush=True)


if __name__ == "__main__":
    main()
