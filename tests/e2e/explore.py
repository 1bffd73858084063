#!/usr/bin/python3
"""Studies from their file to points.csv: the same bytes however they are run, cut off or dealt over processes.

Models and machines are tiny, so that a point takes a tenth of a second.
"""
import contextlib
import csv
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, load_json, run

MODEL = """name: tiny
source: made up for tests
architecture: llama
layers: 1
hidden: 64
heads: 2
kv_heads: 1
head_dim: 32
ffn: 128
vocabulary: 256
context: 64
norm_eps: 1e-05
rope_base: 10000
tied_embeddings: false
"""
STUDY = """base: small
workloads: [{arch: tiny.yaml, context: 64, steps: [decode]}]
parameters:
  lanes.superlanes: [3, 4]
  latency.vxm_simple: [2, 4, 8]
  mem.slices_per_side: [24, 28]
"""  # twelve points, of which the six with 24 slices are infeasible
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
MEASURED = ["chips", "cycles", "token_us[us]", "ttft_us[us]", "tokens_per_second[1/s]",
            *(f"{name}_{which}[{unit}]" for name, unit in [("j_per_token", "J"), ("j_per_token_full", "J"), ("watts", "W"),
                                                           ("area_mm2", "mm2")] for which in ["low", "typ", "high"]),
            "state", "reason"]


class Studies(Case):
    def setUp(self):
        super().setUp()
        (self.dir / "tiny.yaml").write_text(MODEL)

    def study(self, text=STUDY, name="s"):
        path = self.dir / f"{name}.yaml"
        path.write_text(text)
        return path

    def explore(self, *args, code=0, **options):
        done = run("lpu-explore", *args, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def points(self, store):
        """(bytes, rows) of points.csv."""
        path = self.dir / "points.csv"
        self.explore("report", store, f"--csv={path}")
        with open(path, newline="") as file:
            return path.read_bytes(), list(csv.DictReader(file))

    def status(self, store):
        return tools.json.loads(self.explore("status", store, "--json").stdout)


class Running(Studies):
    def test_points_csv(self):
        study = self.study()
        self.explore("run", study, "--jobs=2")
        data, rows = self.points(self.dir / "s.db")
        keys = ["lanes.superlanes", "latency.vxm_simple[cycles]", "mem.slices_per_side"]
        self.assertEqual(list(rows[0]), ["point", "key", *keys, *MEASURED])
        self.assertEqual(len(rows), 12)
        self.assertTrue(data.endswith(b"\n") and b"#" not in data)
        for number, row in enumerate(rows):
            self.assertEqual(row["point"], str(number))
            self.assertEqual(row["state"], "done" if row["mem.slices_per_side"] == "28" else "infeasible")
            if row["state"] == "infeasible":
                self.assertRegex(row["reason"], "^tiny.yaml: the mapping needs 16 MEM slices .* has 24$")
                self.assertEqual(row["cycles"], "")
                continue
            for name, unit in [("j_per_token", "J"), ("j_per_token_full", "J"), ("watts", "W"), ("area_mm2", "mm2")]:
                low, typ, high = (float(row[f"{name}_{which}[{unit}]"]) for which in ["low", "typ", "high"])
                self.assertTrue(0 < low < typ < high)
            self.assertAlmostEqual(float(row["token_us[us]"]), float(row["cycles"]) / 900)
        # What lpucc itself says of one of them.
        (self.dir / "machine.yaml").write_text((tools.ROOT / "isa/arch/small.yaml").read_text())
        tools.succeed("lpucc", f"--arch={self.dir / 'tiny.yaml'}", f"--target={self.dir / 'machine.yaml'}", "--steps=decode",
                      "--max-context=64", "-o", "/dev/null", f"--report={self.dir / 'r.json'}")
        base = next(r for r in rows if r["lanes.superlanes"] == "4" and r["latency.vxm_simple[cycles]"] == "4"
                    and r["state"] == "done")
        self.assertEqual(int(base["cycles"]), load_json(self.dir / "r.json")["system"]["token_latency_cycles"])

    def test_the_same_bytes_however_it_is_run(self):
        study = self.study()
        self.explore("run", study, "--jobs=1")
        expected, _ = self.points(self.dir / "s.db")
        for name, args in [("two", ["--jobs=2"]), ("one", ["--shard=1/2"]), ("other", ["--shard=2/2"])]:
            self.explore("run", study, f"--store={self.dir / name}.db", *args)
        self.assertEqual(self.points(self.dir / "two.db")[0], expected)
        self.assertNotEqual(self.points(self.dir / "one.db")[0], expected)
        self.explore("merge", self.dir / "all.db", self.dir / "one.db", self.dir / "other.db")
        self.assertEqual(self.points(self.dir / "all.db")[0], expected)
        # From another folder, and limited three points at a time.
        for code in [4, 4, 4, 0]:
            self.explore("run", "s.yaml", "--store=steps.db", "--limit=3", code=code, cwd=self.dir)
        self.assertEqual(self.points(self.dir / "steps.db")[0], expected)

    def test_ranks(self):
        if not shutil.which("mpirun"):
            self.skipTest("mpirun is missing; install openmpi-bin")
        study = self.study()
        self.explore("run", study)
        for ranks in [2, 3]:
            store = self.dir / f"{ranks}.db"
            done = subprocess.run(["mpirun", "-q", "-n", str(ranks), str(tools.bin_dir / "lpu-explore"), "run", str(study),
                                   f"--store={store}"], capture_output=True, text=True, env={**os.environ, **MPI},
                                  timeout=tools.TIMEOUT, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.points(store)[0], self.points(self.dir / "s.db")[0])

    def test_killed_at_any_moment(self):
        study, store = self.study(), self.dir / "killed.db"
        self.explore("run", study)
        moments = random.Random(17)
        for _ in range(6):
            process = subprocess.Popen([str(tools.bin_dir / "lpu-explore"), "run", str(study), f"--store={store}", "--jobs=2"],
                                       stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.02, 0.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.explore("run", study, f"--store={store}", "--jobs=2")
        self.assertEqual(self.points(store)[0], self.points(self.dir / "s.db")[0])
        status = self.status(store)
        self.assertLessEqual(status["unfinished"], 2 * 6)  # at most what ran when it was killed
        self.assertLessEqual(status["compilations"], 12 + status["unfinished"])

    def test_another_table_of_energy_compiles_nothing(self):
        study = self.study()
        self.explore("run", study)
        _, before = self.points(self.dir / "s.db")
        self.study("energy: sf4x\n" + STUDY)
        self.explore("run", study)
        _, after = self.points(self.dir / "s.db")
        self.assertEqual(self.status(self.dir / "s.db")["compilations"], 12)
        for a, b in zip(before, after, strict=True):
            self.assertEqual((a["key"], a["cycles"]), (b["key"], b["cycles"]))
            if a["state"] == "done":
                self.assertNotEqual(a["j_per_token_typ[J]"], b["j_per_token_typ[J]"])

    def test_searches(self):
        for method, count in [("random", 6), ("sobol", 6), ("nsga2", 6), ("oat", 1 + 2 + 3 + 2 - 3), ("halving", 6)]:
            store = self.dir / f"{method}.db"
            study = self.study(STUDY + f"search: {{method: {method}, budget: 6, population: 4, seed: 5}}\n", method)
            self.explore("run", study, "--jobs=2")
            data, rows = self.points(store)
            self.assertEqual(len(rows), count, method)
            self.assertEqual(len({row["key"] for row in rows}), count)
            self.explore("run", study, f"--store={self.dir / 'again.db'}")
            self.assertEqual(self.points(self.dir / "again.db")[0], data, method)
            (self.dir / "again.db").unlink()

    def test_pruning_is_proven_and_loses_nothing(self):
        # Slower units are worse in every objective: bounds of the slowest prove it.
        text = STUDY.replace("steps: [decode]", "steps: [decode], tp: 1, pp: 1").replace("[2, 4, 8]", "[2, 4, 8, 64, 65, 66]")
        text = text.replace("[24, 28]", "[28]") + "constraints: [\"lanes.superlanes < 5\"]\n"
        self.explore("run", self.study(text.replace("[3, 4]", "[3, 4, 5]"), "all"))
        self.explore("run", self.study(text.replace("[3, 4]", "[3, 4, 5]") + "search: {method: grid, prune: true}\n", "some"),
                     "--jobs=2")
        _, everything = self.points(self.dir / "all.db")
        _, pruned = self.points(self.dir / "some.db")
        states = [row["state"] for row in pruned]
        reasons = {row["reason"] for row in pruned if row["state"] == "pruned"}
        self.assertIn("constraint lanes.superlanes < 5", reasons)
        self.assertTrue(any("its bounds are worse than point" in r for r in reasons), reasons)
        self.assertIn("done", states)
        self.assertEqual(*(self.status(self.dir / f"{s}.db")["frontier"] for s in ["all", "some"]))
        for a, b in zip(everything, pruned, strict=True):
            if b["state"] == "done":
                self.assertEqual(a, b)

    def test_dry_run_compiles_nothing(self):
        done = self.explore("run", self.study(), "--dry-run")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "point,key,lanes.superlanes,latency.vxm_simple[cycles],mem.slices_per_side,state,reason")
        self.assertEqual(len(lines), 13)
        # Numbers are those of all points.
        for shard in ["1/2", "2/2"]:
            part = self.explore("run", self.study(), "--dry-run", f"--shard={shard}")
            self.assertEqual(part.stdout.splitlines(), lines[:1] + lines[int(shard[0])::2])
            self.assertIn("6 points planned", part.stderr)
        self.assertFalse((self.dir / "s.db").exists())


class Questions(Studies):
    def test_why(self):
        self.explore("run", self.study(), "--jobs=2")
        text = self.explore("why", self.dir / "s.db", 1).stdout
        for words in ["chains of values alone", "memory of the fullest chip", "energy of a token, one user alone, typical",
                      "lanes.superlanes", "latency.vxm_simple                       2 instead of 4"]:
            self.assertIn(words, text)
        self.assertIn("the mapping needs 16 MEM slices", self.explore("why", self.dir / "s.db", 0).stdout)
        self.assertIn("against point 5", self.explore("why", self.dir / "s.db", 1, "--against=5").stdout)
        self.assertIn("has no point 12; its points are 0 to 11", self.explore("why", self.dir / "s.db", 12, code=1).stderr)
        self.assertIn("'x' is neither base nor", self.explore("why", self.dir / "s.db", 1, "--against=x", code=1).stderr)

    def test_audit_simulates(self):
        study = self.study(STUDY.replace("[24, 28]", "[28]"))
        self.explore("run", study, "--jobs=2")
        done = self.explore("audit", self.dir / "s.db", "--share=0.2")
        self.assertGreaterEqual(done.stdout.count("cycles and all counts as simulated"), 2)
        # A store that was tampered with is found out.
        with contextlib.closing(sqlite3.connect(self.dir / "s.db")) as store, store:
            store.execute("UPDATE result SET measured = replace(measured, '\"products_int8\":', '\"products_int8\":1')")
        done = self.explore("audit", self.dir / "s.db", code=3)
        self.assertIn("counts differ: products_int8", done.stdout)

    def test_audit_of_batches_and_encoders(self):
        (self.dir / "encoder.yaml").write_text(
            "name: encoder\nsource: made up for tests\narchitecture: bert\nlayers: 1\nhidden: 128\nheads: 4\nffn: 256\n"
            "vocabulary: 256\ncontext: 64\nnorm_eps: 1e-12\ntoken_types: 2\n")
        for name, text in [("batch", "base: small\nworkloads: [{arch: tiny.yaml, context: 64, batch: 3, tp: 2, pp: 1, kv_type: int8}]\n"),
                           ("encoder", "base: tsp1\nworkloads: [{arch: encoder.yaml, context: 32}]\n")]:
            self.explore("run", self.study(text, f"audit-{name}"))
            done = self.explore("audit", self.dir / f"audit-{name}.db")
            self.assertEqual(done.stdout.count("cycles and all counts as simulated"), 1, done.stdout)

    def test_an_audit_of_nothing_is_an_error(self):
        self.explore("run", self.study(STUDY.replace("[24, 28]", "[24]")))
        done = self.explore("audit", self.dir / "s.db", code=1)
        self.assertIn("s.db: error: has no measured point, so there is nothing to audit", done.stderr)

    def test_energy_of_a_program(self):
        program = self.dir / "m.lpx"
        tools.succeed("lpucc", tools.TINY, "--tp=2", "--pp=2", "--max-context=64", "-o", program)
        told = tools.json.loads(self.explore("energy", program, "--json").stdout)
        self.assertEqual([s["name"] for s in told["steps"]], ["decode_64", "prefill_8x64"])
        seconds = 1 / 0.9e9
        for step in told["steps"]:
            dynamic = step["dynamic_joules"]["typical"]
            by_time = sum((w - step["static_watts"]["typical"]) * step["bin_cycles"] * seconds for w in step["watts_by_bin"])
            for total in [sum(t["joules"]["typical"] for t in step["dynamic"]),
                          sum(o["joules"] for o in step["operations"]), by_time]:
                self.assertAlmostEqual(total / dynamic, 1, delta=1e-9)
            alone = dynamic + sum(t["joules"]["typical"] for t in step["static_alone"])
            self.assertAlmostEqual(alone / step["tokens"] / step["j_per_token"]["typical"], 1, delta=1e-9)
            for name in ["j_per_token", "j_per_token_full", "watts", "watts_full"]:
                band = step[name]
                self.assertTrue(band["low"] <= band["p5"] <= band["typical"] <= band["p95"] <= band["high"], name)
        self.assertAlmostEqual(told["area_mm2"]["typical"], 725, delta=725 * 0.005)
        text = self.explore("energy", program).stdout
        self.assertIn("token, one user alone", text)
        self.assertIn("neither a table of energy", self.explore("energy", program, "--model=x", code=1).stderr)


class Report(Studies):
    def reported(self):
        text = STUDY.replace("[24, 28]", "[24, 28, 32]") + "sensitivity: {keys: [latency.mxm_play, latency.mem_read]}\n"
        self.explore("run", self.study("name: </script> & more\n" + text), "--jobs=2")
        page, svg = self.dir / "r.html", self.dir / "p.svg"
        self.explore("report", self.dir / "s.db", "-o", page, f"--pareto={svg}", "--x=area_mm2", "--y=j_per_token")
        return page, svg

    def test_files(self):
        page, svg = self.reported()
        again = self.dir / "again.html"
        self.explore("report", self.dir / "s.db", "-o", again)
        self.assert_same_file(page, again)
        text = page.read_text()
        # Nothing is fetched: the only address is the name of SVG's namespace, and that is no address.
        self.assertEqual(set(re.findall(r"https?://[^\"' ]*", text)), {"http://www.w3.org/2000/svg"})
        data = tools.json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])
        self.assertEqual(data["name"], "</script> & more")
        self.assertEqual(len(data["points"]), 18 + 4)
        for point in data["points"]:
            if "v" not in point:
                continue
            for low, typical, high, p5, p95 in (v for v in point["v"] if isinstance(v, list)):
                self.assertTrue(low <= p5 <= p95 <= high and low <= typical <= high)
        picture = xml.dom.minidom.parse(str(svg))
        self.assertEqual(len(picture.getElementsByTagName("circle")), sum("v" in p for p in data["points"]))
        words = [t.firstChild.data for t in picture.getElementsByTagName("text")]
        self.assertIn("area_mm2 [mm2]", words)
        self.assertIn("j_per_token [J]", words)
        done = self.explore("report", self.dir / "s.db", f"--pareto={svg}", "--x=speed", code=1)
        self.assertIn("'speed' is no column; take one such as token_us", done.stderr)

    def test_inputs_are_not_overwritten(self):
        (self.dir / "own.yaml").write_text((tools.ROOT / "isa/arch/small.yaml").read_text())
        text = STUDY.replace("base: small", "base: own.yaml").replace("[3, 4]", "[4]").replace("[2, 4, 8]", "[4]")
        study, store = self.study(text), self.dir / "s.db"
        self.explore("run", "s.yaml", cwd=self.dir)
        (self.dir / "link.csv").symlink_to(study)
        os.link(self.dir / "own.yaml", self.dir / "hard.csv")
        for output, what in [("s.yaml", "the study"), ("link.csv", "the study"), ("hard.csv", "'own.yaml' of the study"),
                             ("tiny.yaml", "'tiny.yaml' of the study"), ("s.db", "the store")]:
            done = self.explore("report", store, f"--csv={self.dir / output}", code=1)
            self.assertIn(f"{output}: error: --csv would overwrite {what}, which is read from this file", done.stderr)
        self.assertEqual(study.read_text(), text)
        done = self.explore("run", study, f"--store={self.dir / 'hard.csv'}", code=1)
        self.assertIn("--store would overwrite 'own.yaml' of the study", done.stderr)

    def test_a_full_stdout(self):
        study, program = self.study(STUDY.replace("[24, 28]", "[28]").replace("[2, 4, 8]", "[4]")), self.dir / "m.lpx"
        self.explore("run", study)
        tools.succeed("lpucc", tools.TINY, "--max-context=64", "-o", program)
        for args in [("status", self.dir / "s.db"), ("why", self.dir / "s.db", "0"), ("audit", self.dir / "s.db"),
                     ("energy", program), ("run", study, "--dry-run"), ("--help",)]:
            with open("/dev/full", "w") as full:
                done = subprocess.run([str(tools.bin_dir / "lpu-explore"), *map(str, args)], stdout=full, text=True,
                                      stderr=subprocess.PIPE, timeout=tools.TIMEOUT, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn("stdout: error: cannot be written; check where it is redirected to\n", done.stderr)

    def test_in_a_browser(self):
        browser = shutil.which("chromium")
        if not browser:
            self.skipTest("chromium is missing")
        page, _ = self.reported()
        done = subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                               f"--user-data-dir={self.dir / 'browser'}", "--dump-dom", page.as_uri()],
                              capture_output=True, text=True, timeout=tools.TIMEOUT, stdin=subprocess.DEVNULL)
        self.assertNotIn("CONSOLE", done.stderr)
        self.assertEqual(len(re.findall("<svg", done.stdout)), 8)
        for heading in ["Frontier", "Comparison", "Parallel coordinates", "Tornado", "Response curves", "Roofline",
                        "Memory of the fullest chip", "Energy of a token by part", "Search progress", "Anomalies",
                        "Points without a place"]:
            self.assertIn(f"<h2>{heading}</h2>", done.stdout)
        self.assertIn("the mapping needs 16 MEM slices", done.stdout)


class Failures(Studies):
    def fake_compiler(self, body):
        path = self.dir / "lpucc.sh"
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)
        return f"--compiler={path}"

    def one_point(self):
        return self.study(STUDY.replace("[3, 4]", "[4]").replace("[2, 4, 8]", "[4]").replace("[24, 28]", "[28]"))

    def test_a_broken_child_is_a_row(self):
        study = self.one_point()
        for body, args, reason in [("kill -SEGV $$\n", [], "Segmentation fault; it may need more memory"),
                                   ("sleep 60\n", ["--timeout=0.3"], "took longer than 0.3 s; allow more with --timeout"),
                                   ("exit 0\n", [], "the compiler left no report"),
                                   ("exit 7\n", [], "the compiler left with exit code 7"),
                                   ("echo '{}' > report.json\n", [], "is not the one that the run began with")]:
            store = self.dir / "failed.db"
            self.explore("run", study, f"--store={store}", self.fake_compiler(body), *args, code=3)
            _, rows = self.points(store)
            self.assertEqual(rows[0]["state"], "failed")
            self.assertIn(reason, rows[0]["reason"])
            self.assertIn(reason, self.explore("status", store, "--failed").stdout)
            store.unlink()

    def test_a_compiler_by_a_relative_path(self):
        self.one_point()
        (self.dir / "lpucc").symlink_to(tools.bin_dir / "lpucc")
        self.explore("run", "s.yaml", "--compiler=./lpucc", cwd=self.dir)

    def test_too_little_memory_is_a_row(self):
        self.explore("run", self.one_point(), "--memory=0.01", code=3)
        self.assertEqual(self.points(self.dir / "s.db")[1][0]["state"], "failed")
        # It stays so until it is asked for again.
        self.explore("run", self.one_point(), code=3)
        self.explore("run", self.one_point(), "--refresh")
        self.assertEqual(self.points(self.dir / "s.db")[1][0]["state"], "done")

    def test_another_build_of_the_compiler(self):
        study = self.one_point()
        self.explore("run", study)
        done = self.explore("run", study, self.fake_compiler("exit 1\n"), code=1)
        self.assertRegex(done.stderr, "s.db: error: its results are of another build of the compiler .*; --refresh runs")
        self.explore("run", study, self.fake_compiler("exit 1\n"), "--refresh", code=3)
        self.assertEqual(self.status(self.dir / "s.db")["stale_results"], 1)
        self.explore("run", study, "--refresh")
        self.assertEqual(self.points(self.dir / "s.db")[1][0]["state"], "done")

    def test_mistakes(self):
        study = self.study()
        for code, line, args in [
                (1, "s.yaml:5: error: lanes.superlane: is no key of a machine or mapping; there are", ["run", "wrong"]),
                (1, "adaptive.yaml: error: its points depend on results of others, so it cannot be cut into shards",
                 ["run", "adaptive", "--shard=1/2"]),
                (2, "--shard: '3/2' is not I/N", ["run", study, "--shard=3/2"]),
                (2, "--shard: '0/2' is not I/N", ["run", study, "--shard=0/2"]),
                (2, "'-1' is no number of a point; give one of points.csv", ["why", self.dir / "x.db", "-1"]),
                (2, "'' is no number of a point; give one of points.csv", ["why", self.dir / "x.db", ""]),
                (1, "huge.yaml:4: error: search: asks for 50000000000 points, and 1000000 are the most; take fewer values",
                 ["run", "huge"]),
                (2, "--time: '5 days' is no duration; write 90s, 15m or 2h", ["run", study, "--time=5 days"]),
                (2, "lpu-explore: error: ", ["run"]), (2, "nothing to write; give", ["report", self.dir / "x.db"]),
                (1, "x.db: error: there is no such store", ["status", self.dir / "x.db"]),
                (1, "s.yaml: error: --store would overwrite the study", ["run", study, f"--store={study}"]),
                (1, "none/x.db: error: cannot be written: No such file or directory; choose another place with --store",
                 ["run", study, f"--store={self.dir / 'none' / 'x.db'}"])]:
            wrong = {"wrong": STUDY.replace("superlanes:", "superlane:").replace("workloads", "name: w\nworkloads"),
                     "huge": STUDY.replace("[3, 4]", "{from: 1, to: 50000, step: 1}").replace("[24, 28]", "[24]")
                             .replace("[2, 4, 8]", "{from: 1, to: 1000000, step: 10}") + "  host.latency_us: "
                             "{from: 1, to: 10, step: 1}\n",
                     "adaptive": STUDY + "search: {method: nsga2}\n"}
            if args[-1] in wrong or (len(args) > 1 and args[1] in wrong):
                name = args[1]
                args = [args[0], self.study(wrong[name], "s" if name == "wrong" else name), *args[2:]]
            done = self.explore(*args, code=code)
            self.assertIn(line, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.study()
        self.assertFalse((self.dir / "s.db").exists())

    def test_words_are_those_of_the_compiler(self):
        told = " ".join(run("lpucc", "--help").stdout.split())
        for key in ["weight_type", "activation_type", "kv_type", "topology"]:
            study = self.study(STUDY.replace("steps: [decode]", f"{key}: x"))
            words = re.search(r"'x' is none of ([^;]*?)(;|, and as)", self.explore("run", study, code=1).stderr)[1].split(", ")
            self.assertGreaterEqual(len(words), 3)
            for word in words:
                self.assertRegex(told, rf"(\W){re.escape(word)}( \(|,| or )", key)

    def test_mistakes_about_the_model(self):
        (self.dir / "list.yaml").write_text("[1, 2]\n")
        (self.dir / "binary.yaml").write_bytes(b"GGUF\x03\0\0\0: {")
        for old, new, told in [
                ("context: 64", "context: 65", "s.yaml:2: error: context: 65 is more than the 64 of the model; take at most"),
                ("parameters:", "parameters:\n  mapping.context: [32, 128]",
                 "s.yaml:4: error: mapping.context: 128 is more than the 64 of the model; take at most that"),
                ("tiny.yaml", "list.yaml", "s.yaml:2: error: arch: 'list.yaml' is no shape in YAML; name one, or write model:"),
                ("tiny.yaml", "binary.yaml", "s.yaml:2: error: arch: 'binary.yaml' is no shape in YAML")]:
            done = self.explore("run", self.study(STUDY.replace(old, new)), code=1)
            self.assertIn(told, done.stderr)
        self.assertFalse((self.dir / "s.db").exists())

    def test_a_mistake_in_the_model_stops_the_study(self):
        (self.dir / "tiny.yaml").write_text(MODEL.replace("layers: 1\n", ""))
        done = self.explore("run", self.study(), code=1)
        self.assertIn('s.yaml: error: workloads: tiny.yaml:1: key "layers" is missing', done.stderr)

    def test_a_merge_that_fails_leaves_nothing(self):
        self.explore("run", self.one_point())
        done = self.explore("merge", self.dir / "new.db", self.dir / "s.db", self.dir / "none.db", code=1)
        self.assertIn("none.db: error: there is no such store", done.stderr)
        self.assertFalse((self.dir / "new.db").exists())

    def test_a_full_disk(self):
        full = self.dir / "full"
        full.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "none", str(full)], capture_output=True).returncode:
            self.skipTest("no rights to mount a small disk")
        self.addCleanup(lambda: subprocess.run(["umount", str(full)], check=True))
        study = self.study(STUDY.replace("[2, 4, 8]", "{from: 2, to: 20, step: 1}"))
        done = self.explore("run", study, f"--store={full / 's.db'}", "--jobs=2", code=1)
        self.assertRegex(done.stderr, "s.db: error: cannot be written: the disk is full")
        shutil.copy(full / "s.db", self.dir / "moved.db")
        self.explore("run", study, f"--store={self.dir / 'moved.db'}", "--jobs=2")
        self.assertTrue(all(row["state"] in ("done", "infeasible") for row in self.points(self.dir / "moved.db")[1]))

    def test_a_folder_that_cannot_be_written(self):
        """A file system without writing, as chmod does not stop root: a new store, an old one, and reading."""
        study, place = self.one_point(), self.dir / "place"
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], capture_output=True).returncode:
            self.skipTest("no rights to mount a file system")
        self.addCleanup(lambda: subprocess.run(["umount", str(place)], check=True))
        self.explore("run", study, f"--store={place / 'old.db'}")
        expected, _ = self.points(place / "old.db")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        for name in ["new.db", "old.db"]:
            done = self.explore("run", study, f"--store={place / name}", code=1)
            self.assertRegex(done.stderr, f"{name}: error: cannot be written: Read-only file system")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(self.points(place / "old.db")[0], expected)

    def test_a_store_that_was_cut_short(self):
        study, store = self.one_point(), self.dir / "s.db"
        self.explore("run", study)
        whole = store.read_bytes()
        for size in [1, 100, len(whole) // 2]:
            store.write_bytes(whole[:size])
            for command in [["run", study], ["status", store], ["report", store, f"--csv={self.dir / 'x.csv'}"]]:
                done = self.explore(*command, code=1)
                self.assertRegex(done.stderr, "s.db: error: ")
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertEqual(store.read_bytes(), whole[:size])
        self.assertFalse((self.dir / "x.csv").exists())

    def test_a_second_writer(self):
        study = self.one_point()
        command = [str(tools.bin_dir / "lpu-explore"), "run", str(study), self.fake_compiler("sleep 60\n")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as first:
            deadline = time.time() + tools.TIMEOUT
            while not (self.dir / "s.db").exists() and time.time() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            done = self.explore("run", study, code=1)
            self.assertIn("another lpu-explore is writing to it; wait for its end", done.stderr)
            first.kill()


if __name__ == "__main__":
    tools.main()
