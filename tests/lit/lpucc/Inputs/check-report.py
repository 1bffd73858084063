#!/usr/bin/env python3
"""Checks a compile report: its keys, its arithmetic, and how good the schedules are.

check-report.py REPORT.json [--ratio R] [--decode-cycles N]
Every program: the bounds are at most the prediction, the prediction at most R times the lower bound. The decode step of
the smallest context takes at most N cycles.
"""
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("report")
parser.add_argument("--ratio", type=float, default=1.5)
parser.add_argument("--decode-cycles", type=int)
options = parser.parse_args()
with open(options.report, encoding="utf-8") as file:
    report = json.load(file)

faults = []


def check(condition, text):
    if not condition:
        faults.append(text)


def keys(where, dictionary, wanted):
    for name in wanted.split():
        check(name in dictionary, "%s has no %s" % (where, name))


keys("the report", report, "target chips compile_seconds memory programs")
memory = report["memory"]
keys("memory", memory, "weights_bytes kv_bytes activation_bytes code_bytes capacity_bytes")
used = sum(value for name, value in memory.items() if name != "capacity_bytes")
check(all(value > 0 for value in memory.values()), "memory has a size of 0")
check(used <= memory["capacity_bytes"], "memory: %d bytes of %d" % (used, memory["capacity_bytes"]))
check(report["chips"] == 1, "chips is %r" % report["chips"])
check(report["compile_seconds"] > 0, "compile_seconds is %r" % report["compile_seconds"])
check(len({p["name"] for p in report["programs"]}) == len(report["programs"]) > 0, "program names repeat or are missing")

for program in report["programs"]:
    name, cycles = program["name"], program["predicted_cycles"]
    keys(name, program, "name kind context tokens predicted_cycles weight_stream_bound_cycles resource_bound_cycles "
                        "critical_path_cycles lower_bound_cycles instructions utilization")
    keys(name, program["utilization"], "mxm vxm sxm mem streams")
    check(program["kind"] in ("prefill", "decode"), "%s: kind %r" % (name, program["kind"]))
    check(program["kind"] == "prefill" or program["tokens"] == 1, "%s decodes %d tokens" % (name, program["tokens"]))
    check(program["instructions"] > 0, "%s has no instructions" % name)
    check(all(0 <= value <= 1 for value in program["utilization"].values()), "%s: utilization out of range" % name)
    lower = program["lower_bound_cycles"]
    for bound in ("weight_stream_bound_cycles", "resource_bound_cycles", "critical_path_cycles"):
        check(0 <= program[bound] <= cycles, "%s: %s %d of %d" % (name, bound, program[bound], cycles))
    check(max(program["resource_bound_cycles"], program["critical_path_cycles"]) <= lower <= cycles,
          "%s: lower bound %d of %d" % (name, lower, cycles))
    check(cycles <= options.ratio * lower, "%s: %d cycles are %.3f times the lower bound %d" % (name, cycles, cycles / lower, lower))
    print("%s: %d cycles, %.3f of the lower bound %d" % (name, cycles, cycles / lower, lower))

if options.decode_cycles:
    first = min((p for p in report["programs"] if p["kind"] == "decode"), key=lambda p: p["context"])
    check(first["predicted_cycles"] <= options.decode_cycles,
          "%s takes %d cycles, more than %d" % (first["name"], first["predicted_cycles"], options.decode_cycles))

for fault in faults:
    print("error: " + fault)
raise SystemExit(1 if faults else 0)
