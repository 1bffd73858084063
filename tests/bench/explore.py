#!/usr/bin/python3
"""The explorer's bars: what a search finds for its evaluations, what a kill costs, how fast points are listed and run.

  tests/bench/explore.py [--bin DIR] [search] [kill] [speed] [points] [report]

But for one Llama-3-8B, models and machines are small; everything together takes some minutes. Processor time is that of
the explorer and its children.
"""
import argparse
import csv
import pathlib
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = """name: tiny
source: made up for measurements
architecture: llama
layers: 2
hidden: 128
heads: 4
kv_heads: 2
head_dim: 32
ffn: 256
vocabulary: 512
context: 512
norm_eps: 1e-05
rope_base: 10000
tied_embeddings: false
"""
GRID = """base: small
workloads: [{arch: tiny.yaml, context: 64, steps: [decode], tp: 1, pp: 1}]
parameters:
  lanes.superlanes: [2, 4, 8, 16]
  mem.slices_per_side: [28, 32, 40]
  latency.vxm_simple: [2, 4]
  c2c.vector_interval: [12, 24]
  clock.ghz: {values: [0.7, 0.9, 1.1, 1.3, 1.5], voltage: from-clock}
"""
OBJECTIVES = ["token_us[us]", "j_per_token_typ[J]", "area_mm2_typ[mm2]"]
BUDGET, SEEDS = 96, range(1, 12)


class Bench:
    def __init__(self, binaries, folder, compiler=None):
        self.bin, self.dir, self.compiler = binaries, folder, compiler
        (folder / "tiny.yaml").write_text(MODEL)

    def study(self, name, text):
        path = self.dir / f"{name}.yaml"
        path.write_text(text)
        return path

    def explore(self, *args, code=0):
        if self.compiler and args[0] == "run":
            args = (*args, f"--compiler={self.compiler}")
        done = subprocess.run([str(self.bin / "lpu-explore"), *map(str, args)], capture_output=True, text=True)
        if done.returncode != code:
            raise SystemExit(f"lpu-explore {' '.join(map(str, args))}: exit code {done.returncode}\n{done.stderr}")
        return done

    def points(self, store):
        self.explore("report", store, f"--csv={self.dir / 'points.csv'}")
        with open(self.dir / "points.csv", newline="") as file:
            return list(csv.DictReader(file))

    def grid(self):
        store = self.dir / "grid.db"
        if not store.exists():
            self.explore("run", self.study("grid", GRID), f"--store={store}", "--jobs=2")
        return store


def front(points):
    return [p for p in points if not any(q != p and all(a <= b for a, b in zip(q, p)) for q in points)]


def volume(points):
    """Of three axes from 0 to 1, reference 1, by slices along the last."""
    total, levels = 0.0, sorted({p[2] for p in points}) + [1.0]
    for low, high in zip(levels, levels[1:]):
        area, best = 0.0, 1.0
        for x, y in sorted(p[:2] for p in points if p[2] <= low):
            if y < best:
                area += (1 - x) * (best - y)
                best = y
        total += area * (high - low)
    return total


class Truth:
    """The whole grid, with axes from 0 (best) to 1 (the worst feasible value, which is hypervolume's reference)."""

    def __init__(self, rows):
        rows = [r for r in rows if r["state"] == "done"]
        values = {self.key(r): tuple(float(r[o]) for o in OBJECTIVES) for r in rows}
        low, high = ([f(v[i] for v in values.values()) for i in range(3)] for f in (min, max))
        self.scaled = {k: tuple((v[i] - low[i]) / (high[i] - low[i]) for i in range(3)) for k, v in values.items()}
        self.front = {k for k, v in self.scaled.items() if v in set(front(list(self.scaled.values())))}
        self.volume = volume(list(self.scaled.values()))

    @staticmethod
    def key(row):
        return tuple(row[k] for k in list(row)[2:7])

    def share(self, keys):
        return 100 * volume([self.scaled[k] for k in keys if k in self.scaled]) / self.volume


def search(bench):
    truth = Truth(bench.points(bench.grid()))
    size = len(truth.scaled)
    print(f"grid: {size} feasible points, {len(truth.front)} ({100 * len(truth.front) / size:.1f} %) on the frontier, "
          f"hypervolume {truth.volume:.4f}")
    budgets = [24, 40, 56, 72, BUDGET]
    medians = {}
    for method in ["nsga2", "sobol", "random"]:
        shares = []
        for seed in SEEDS:
            store = bench.dir / "search.db"
            shutil.copy(bench.grid(), store)  # results are there already; the search asks for them
            study = bench.study("search", GRID + f"search: {{method: {method}, budget: {BUDGET}, seed: {seed}}}\n")
            bench.explore("run", study, f"--store={store}")
            found = [truth.key(r) for r in bench.points(store) if r["state"] != "pruned"]  # in the order of evaluation
            assert len(found) == len(set(found)) == BUDGET
            shares.append([truth.share(found[:n]) for n in budgets])
        medians[method] = [statistics.median(s[i] for s in shares) for i in range(len(budgets))]
        print(f"{method}: median of {len(shares)} seeds " + ", ".join(
            f"{m:.2f} % with {n}" for n, m in zip(budgets, medians[method])) + f"; least {min(s[-1] for s in shares):.2f} %")
    isMet = medians["nsga2"][-1] >= 95 and medians["nsga2"][-1] > medians["random"][-1] and BUDGET <= 0.4 * size
    print("bar of the search: " + ("met" if isMet else "NOT MET"))
    pruned = bench.study("pruned", GRID + "search: {method: grid, prune: true}\n")
    bench.explore("run", pruned, f"--store={bench.dir / 'pruned.db'}", "--jobs=2")
    rows = bench.points(bench.dir / "pruned.db")
    lost = truth.front - {truth.key(r) for r in rows if r["state"] == "done"}
    print(f"pruning: {sum(r['state'] == 'pruned' for r in rows)} of {len(rows)} points not scheduled, {len(lost)} points of "
          "the frontier lost")


def kill(bench):
    text = GRID.replace("[0.7, 0.9, 1.1, 1.3, 1.5]", "[0.9]").replace("[28, 32, 40]", "[28, 32, 36, 40]").replace(
        "[12, 24]", "[24]").replace("[2, 4, 8, 16]", "[2, 3, 4, 6, 8]")
    study = bench.study("kill", text)  # 40 points
    bench.explore("run", study, f"--store={bench.dir / 'whole.db'}", "--jobs=2")
    expected = bench.points(bench.dir / "whole.db")
    for name, command in [("process", []), ("3 ranks", ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3"])]:
        store, moments, kills = bench.dir / f"killed {name}.db", random.Random(1), 0
        for _ in range(20):
            process = subprocess.Popen([*command, str(bench.bin / "lpu-explore"), "run", str(study), f"--store={store}"],
                                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.05, 1.0))
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(0.3)  # mpirun's ranks see that it is gone
        bench.explore("run", study, f"--store={store}")
        print(f"kill -9 of {name}: {kills} times while running, points.csv "
              + ("the same" if bench.points(store) == expected else "DIFFERENT"))


def speed(bench):
    many = bench.study("many", GRID.replace("latency.vxm_simple: [2, 4]", "latency.vxm_simple: {from: 1, to: 60, step: 1}").replace(
        "c2c.vector_interval: [12, 24]", "c2c.vector_interval: {from: 1, to: 28, step: 1}"))
    began = time.time()
    count = bench.explore("run", many, "--dry-run").stdout.count("\n") - 1
    print(f"{count} planned points listed in {time.time() - began:.2f} s")
    study = bench.study("speed", GRID.replace("[0.7, 0.9, 1.1, 1.3, 1.5]", "[0.9]"))
    seconds = []
    for jobs in [1, 2]:
        began = time.time()
        bench.explore("run", study, f"--store={bench.dir / f'speed{jobs}.db'}", f"--jobs={jobs}")
        seconds.append(time.time() - began)
    print(f"48 points: one worker {seconds[0]:.1f} s, two {seconds[1]:.1f} s, {seconds[0] / seconds[1]:.2f} times as fast")


def cpu_seconds(action):
    """Of the processes that `action` starts and waits for."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = used()
    action()
    return used() - before


def points(bench):
    """What a point costs."""
    large = bench.study("large", f"workloads: [{{arch: {ROOT / 'models/arch/llama-3-8b.yaml'}, context: 512, steps: [decode], tp: 1, "
                        "pp: 32}]\n")
    seconds = cpu_seconds(lambda: bench.explore("run", large, f"--store={bench.dir / 'large.db'}"))
    print(f"Llama-3-8B, decode only: {seconds:.2f} s of processor time")
    no_machine = GRID.replace("parameters:", "parameters:\n  c2c.east_links: {from: 12, to: 21, step: 1}")
    no_room = GRID.replace("[28, 32, 40]", "[24]")
    for name, text, state in [("no such machine", no_machine, "infeasible"), ("refused by the compiler", no_room, "infeasible")]:
        study, store = bench.study("rejected", text), bench.dir / f"{name}.db"
        seconds = cpu_seconds(lambda: bench.explore("run", study, f"--store={store}"))
        rows = bench.points(store)
        assert all(row["state"] == state for row in rows), rows[0]
        print(f"{len(rows)} machines, {name}: {seconds / len(rows):.4f} s of processor time each ({rows[0]['reason']})")


def report(bench):
    """Size of a report of 600 points, and when a browser has drawn it."""
    many = GRID.replace("latency.vxm_simple: [2, 4]", "latency.vxm_simple: [2, 3, 4, 6, 8]") + "sensitivity: {keys: not-published}\n"
    study, store, page = bench.study("report", many), bench.dir / "report.db", bench.dir / "report.html"
    bench.explore("run", study, f"--store={store}", "--jobs=2")
    bench.explore("report", store, "-o", page)
    rows = bench.points(store)
    print(f"report of {len(rows)} points: {page.stat().st_size / 1e6:.2f} MB")
    browser = shutil.which("chromium")
    if not browser:
        print("no chromium: not drawn")
        return
    done = subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                           f"--user-data-dir={bench.dir / 'browser'}", "--dump-dom", page.as_uri()], capture_output=True, text=True)
    drawn = re.search(r'data-drawn="(\d+)"', done.stdout)
    print(f"drawn {drawn[1]} ms after the page was asked for, {done.stderr.count('CONSOLE')} console messages")


PARTS = {"search": search, "kill": kill, "speed": speed, "points": points, "report": report}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--compiler", type=pathlib.Path, help="another lpucc than the one beside lpu-explore")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lpu-bench-") as folder:
        bench = Bench(options.bin.resolve(), pathlib.Path(folder), options.compiler)
        for name in options.what:
            PARTS[name](bench)


if __name__ == "__main__":
    main()
