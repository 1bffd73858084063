#!/usr/bin/env python3
"""Checks a compile report: its keys, its arithmetic, and how good the schedules are.

check-report.py REPORT.json [--chips N] [--ratio R] [--decode-cycles N]
Every program: the bounds are at most the prediction, the prediction at most R times the lower bound. The decode step of
the smallest context takes at most N cycles.
"""
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("report")
parser.add_argument("--ratio", type=float, default=1.5)
parser.add_argument("--decode-cycles", type=int)
parser.add_argument("--chips", type=int, default=1)
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


keys("the report", report, "target chips compile_seconds system memory memory_worst_chip programs chip_classes chip_list")
memory, worst, system = report["memory"], report["memory_worst_chip"], report["system"]
SIZES = "weights_bytes kv_bytes activation_bytes code_bytes"
for where, sizes in (("memory", memory), ("memory_worst_chip", worst)):
    keys(where, sizes, SIZES + " capacity_bytes")
    used = sum(sizes[name] for name in SIZES.split())
    check(0 < used <= sizes["capacity_bytes"], "%s: %d bytes of %d" % (where, used, sizes["capacity_bytes"]))
check(all(memory[name] > 0 for name in SIZES.split()), "memory has a size of 0")
chips = options.chips
check(report["chips"] == chips, "chips is %r" % report["chips"])
check(memory["capacity_bytes"] == chips * worst["capacity_bytes"], "capacity of all chips")
check(report["compile_seconds"] > 0, "compile_seconds is %r" % report["compile_seconds"])

keys("system", system, "chips tp pp token_latency_cycles tokens_per_second_per_user initiation_interval_cycles users throughput_tokens_per_second pipeline_bound ttft_us prefill_tokens_per_second with_host steps")
check(system["chips"] == chips >= system["tp"] * system["pp"], "system.chips is %r" % system["chips"])
for step in system["steps"]:
    keys("a step", step, "name kind context tokens predicted_cycles")
longest = max((s for s in system["steps"] if s["kind"] == "decode"), key=lambda s: s["context"])
check(system["token_latency_cycles"] == longest["predicted_cycles"], "token latency is not that of %s" % longest["name"])
ghz = system["tokens_per_second_per_user"] * system["token_latency_cycles"] / 1e9
check(abs(ghz - 0.9) < 1e-9, "tokens per second: %.3f GHz over the latency" % ghz)
check(0 < system["initiation_interval_cycles"] <= system["token_latency_cycles"], "initiation interval")
check(system["users"] == longest["users"] and abs(system["throughput_tokens_per_second"] / system["tokens_per_second_per_user"] - system["users"]) < 1e-9, "throughput")
bound = system["pipeline_bound"]
keys("pipeline_bound", bound, "tokens_per_second users kv_bytes_per_chip fits")
check(abs(bound["tokens_per_second"] * system["initiation_interval_cycles"] / 0.9e9 / system["users"] - 1) < 1e-9, "bound of the pipeline")
check(system["throughput_tokens_per_second"] <= bound["tokens_per_second"] * (1 + 1e-9), "more throughput than the pipeline has")
check((bound["users"] - system["users"]) * system["initiation_interval_cycles"] < system["token_latency_cycles"] * system["users"], "users of the full pipeline")
check(0 < bound["kv_bytes_per_chip"], "caches of the full pipeline")
check(system["with_host"]["prefill_tokens_per_second"] < system["prefill_tokens_per_second"], "the host makes prefill no faster")
check(system["ttft_us"] > 0, "ttft_us is %r" % system["ttft_us"])

classes = {c["name"]: c for c in report["chip_classes"]}
check(sum(c["chips"] for c in classes.values()) == chips == len(report["chip_list"]), "chips of the classes")
check(len({(p["name"], p["chip_class"]) for p in report["programs"]}) == len(report["programs"]) > 0, "programs repeat or are missing")
check({p["name"] for p in report["programs"]} == {s["name"] for s in system["steps"]}, "programs and steps differ")
for chip_class in classes.values():
    rows = sum(bank[kind] for bank in chip_class["memory_map"] for kind in ("weights_rows", "kv_rows", "activation_rows", "code_rows"))
    lanes = sum(chip_class["memory"][name] for name in SIZES.split()) / rows
    check(lanes in (64, 320), "the memory map of %s has rows of %g bytes" % (chip_class["name"], lanes))

for program in report["programs"]:
    name, cycles = program["name"], program["predicted_cycles"]
    keys(name, program, "name chip_class chips layers phases kind context tokens predicted_cycles weight_stream_bound_cycles resource_bound_cycles "
                        "critical_path_cycles lower_bound_cycles instructions utilization")
    keys(name, program["utilization"], "mxm vxm sxm mem streams links")
    for phase in program["phases"]:
        keys(name, phase, "name cycles bound bound_cycles")
    for kind in ("queues", "links"):
        check(all(0 < value <= 1 for value in program["uses_per_cycle"][kind].values()), "%s: %s are used more than always" % (name, kind))
    alus = [value for queue, value in program["uses_per_cycle"]["queues"].items() if queue.startswith("vxm.")]
    check(abs(sum(alus) / 16 - program["utilization"]["vxm"]) < 1e-6, "%s: ALUs are used %g, vxm %g" % (name, sum(alus) / 16, program["utilization"]["vxm"]))
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
