#!/usr/bin/python3
"""What hosts do with lpu-serve and lpu-load: metrics, logs, virtual time, studies of load, slow clients, options."""
import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import serving
import tools
from serving import CHAT, chat
from tools import Case, load_json, np, run, succeed


class Operations(Case):
    def test_metrics_and_request_log(self):
        log = self.dir / "log.jsonl"
        with serving.serving(tools.compiled_tiny()[0], f"--request-log={log}", "--queue=0") as server:
            server.post(CHAT, chat(max_tokens=5))
            server.post(CHAT, chat(max_tokens=7, model="tiny"))
            refused = [server.post(CHAT, "{"), server.post(CHAT, chat(model="no")), server.get("/none")]
            text = server.get("/metrics")[2]
            self.assertIn('lpu_generation_tokens_total{model_name="tiny"} 12\n', text)
            self.assertIn('lpu_request_success_total{model_name="tiny",finished_reason="length"} 2\n', text)
            self.assertIn('lpu_time_to_first_token_seconds_count{model_name="tiny"} 2\n', text)
            self.assertIn('lpu_request_generation_tokens_sum{model_name="tiny"} 12\n', text)
            self.assertIn('lpu_kv_cache_usage_perc{model_name="tiny"} 0\n', text)
            names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
            self.assertEqual(len(names), len(set(names)))
            if promtool := shutil.which("promtool"):
                done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        first, second, *others = map(json.loads, log.read_text().splitlines())
        self.assertEqual([(o["status"], o["id"]) for o in others], [(r[0], r[1]["x-request-id"]) for r in refused])
        self.assertEqual([o["status"] for o in others], [400, 404, 404])
        self.assertEqual((first["completion_tokens"], second["completion_tokens"]), (5, 7))
        self.assertEqual((first["status"], first["finish_reasons"], first["queue_ns"]), (200, ["length"], 0))
        self.assertNotIn("Once", log.read_text())

    def test_options_from_a_file(self):
        config = self.dir / "serve.toml"
        config.write_text("max-n=2\nqueue=7\n")
        with serving.serving(tools.compiled_tiny()[0], f"--config={config}") as server:
            self.assertEqual(server.post(CHAT, chat(n=3))[0], 400)
            self.assertEqual(server.post(CHAT, chat(n=2, max_tokens=1))[0], 200)

    def test_page(self):
        with serving.serving(tools.compiled_tiny()[0]) as server:
            status, headers, text = server.get("/")
            self.assertEqual(status, 200)
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            for forbidden in ("http://", "https://", "<link rel=\"stylesheet", " onclick", "style=\"", "innerHTML"):
                self.assertNotIn(forbidden, text)
            self.assertLess(len(text), 60000)

    def test_embeddings(self):
        model, program = self.dir / "encoder.onnx", self.dir / "encoder.lpx"
        try:
            import encoder
        except ImportError as error:
            self.skipTest(f"{error.name} is missing")
        encoder.save(encoder.build(encoder.Encoder(hidden=64, layers=1, ffn=96, head="sentence")), model)
        succeed("lpucc", model, "-o", program, "--max-context=16")
        with serving.serving(f"enc={program}") as server:
            _, headers, answer = server.post("/v1/embeddings", {"model": "enc", "input": [[1, 5, 9, 2], [1, 7, 2]]})
            vectors = [np.array(entry["embedding"], np.float32) for entry in answer["data"]]
            self.assertEqual(answer["usage"], {"prompt_tokens": 7, "total_tokens": 7})
            _, _, coded = server.post("/v1/embeddings", {"input": [1, 5, 9, 2], "encoding_format": "base64"})
            self.assertEqual(base64.b64decode(coded["data"][0]["embedding"]), vectors[0].tobytes())
            succeed("lpu-run", program, "--input-ids", "1,5,9,2", f"--output={self.dir}")
            files = [np.load(f) for f in self.dir.glob("*.npy")]
            self.assertTrue(any(f.ravel().tobytes() == vectors[0].tobytes() for f in files), [f.shape for f in files])
            self.assertGreater(int(headers["x-lpu-ttft-ns"]), 0)
            proof = server.get("/lpu/v1/requests/" + headers["x-request-id"])[2]
            self.assertEqual(proof["sequences"][0]["command"], f"lpu-run {program} --input-ids=1,5,9,2")
            self.assertEqual(server.post(CHAT, chat())[0], 400)
            self.assertEqual(server.post("/v1/embeddings", {"input": "text"})[0], 400)  # it has no vocabulary
        report = self.dir / "load.json"
        for workload in ("poisson:1000", "closed:2"):
            succeed("lpu-load", program, f"--workload={workload}", "--lengths=2-16:64", "--requests=20", f"--report={report}")
            figures = load_json(report)["points"][0]
            self.assertEqual((figures["requests"], figures["tpot_ns"]["p99"]), (20, 0))
            self.assertGreater(figures["ttft_ns"]["p50"], 0)
        self.assertIn("encoder", run("lpu-load", program, "--lengths=2:1", "--server=http://127.0.0.1:9").stderr)


class Virtual(Case):
    """What the server serves is what the study says, to the cycle."""

    def compare(self, server, program, *flags):
        report = self.dir / "load.json"
        succeed("lpu-load", program, f"--server={server.url}", "--requests=200", "--no-curves", f"--report={report}", *flags)
        got = load_json(report)
        self.assertEqual(got["server"]["requests"], 200)
        self.assertEqual((got["server"]["cycles_apart"], got["server"]["differently_judged"]), (0, 0))
        return got

    def test_two_hundred_requests_on_two_systems(self):
        program = tools.compiled_tiny()[0]
        words = ("--workload=gamma:40000:0.5", "--lengths=2-12:1-8", "--systems=2", "--seed=5")
        reports = []
        for _ in range(2):
            with serving.serving(f"{program}:systems=2", "--virtual-arrivals", "--queue=6", "--max-wait=200us") as server:
                reports.append(self.compare(server, program, *words, "--queue=6", "--max-wait=200us"))
        self.assertEqual({**reports[0], "server": 0}, {**reports[1], "server": 0})
        self.assertEqual(reports[0]["server"]["refused"], reports[1]["server"]["refused"])
        self.assertGreater(reports[0]["server"]["refused"], 5)
        self.assertLess(reports[0]["server"]["refused"], 150)

    def test_two_hundred_requests_in_a_batch(self):
        program = self.dir / "batch.lpx"
        succeed("lpucc", tools.TINY, "-o", program, "--max-context=32", "--batch=3")
        with serving.serving(program, "--virtual-arrivals") as server:
            got = self.compare(server, program, "--workload=poisson:60000", "--lengths=2-12:1-8", "--seed=6")
        self.assertEqual(got["server"]["refused"], 0)
        self.assertGreater(got["points"][0]["queue_ns"]["p99"], 0)


    def test_three_models_on_chips_for_two(self):
        programs = []
        for name, flags in (("first", ("--max-context=32",)), ("second", ("--max-context=64",)), ("third", ("--max-context=32", "--batch=2"))):
            programs.append(self.dir / f"{name}.lpx")
            succeed("lpucc", tools.TINY, "-o", programs[-1], *flags)
        report = self.dir / "load.json"
        words = (*programs, "--resident=2", "--requests=200", "--workload=poisson:2500", "--lengths=2-12:1-8", "--seed=3")
        with serving.serving(*programs, "--resident=2", "--virtual-arrivals") as server:
            succeed("lpu-load", *words, f"--server={server.url}", f"--report={report}")
            systems = server.get("/lpu/v1/systems")[2]["data"]
            text = server.get("/metrics")[2]
        got = load_json(report)
        self.assertEqual([got["server"][k] for k in ("requests", "cycles_apart", "differently_judged")], [200, 0, 0])
        shared = got["shared"]
        self.assertEqual((shared["chips"], shared["dedicated_chips"], len(shared["models"])), (2, 3, 3))
        self.assertEqual([s["loads"] for s in systems], [m["loads"] for m in shared["models"]])
        self.assertEqual(sum(s["resident"] for s in systems), 2)
        self.assertGreater(shared["loads"], 10)
        self.assertIn(f'lpu_system_loads_total{{model_name="third"}} {systems[2]["loads"]}\n', text)
        counts = [m["requests"] for m in shared["models"]]
        self.assertEqual((sum(counts), counts), (200, sorted(counts, reverse=True)))  # popularity falls as 1/k
        self.assertGreater(shared["swapped"]["ttft_ns"]["p99"], shared["dedicated"]["ttft_ns"]["p99"])
        for words, message in (((*programs, "--resident=0"), "--resident"), ((programs[0], "--resident=2"), "several programs"),
                               (programs, "--resident"), ((*programs, "--resident=2", "--slo=ttft:1ms"), "--slo")):
            done = run("lpu-load", *words)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn(message, done.stderr)


class Tiers(Case):
    def test_priority_has_systems_of_its_own_and_flex_what_is_left(self):
        with serving.serving(f"tiny={tools.compiled_tiny()[0]}:systems=2", "--tiers=priority:1", "--virtual-arrivals") as server:
            quote = server.post("/lpu/v1/quote", chat())[2]
            self.assertEqual(set(quote["tiers"]), {"default", "priority", "flex"})
            for bound in quote["tiers"].values():
                self.assertEqual(bound, {k: quote[k if k != "queue_ns" else "start_ns"] for k in bound})
            first = server.post(CHAT, chat(max_tokens=100), x_lpu_arrival_ns="1000")
            self.assertEqual((first[1]["x-lpu-queue-ns"], first[2]["service_tier"]), ("0", "default"))
            second = server.post(CHAT, chat(service_tier="auto"), x_lpu_arrival_ns="2000")
            self.assertGreater(int(second[1]["x-lpu-queue-ns"]), 0)
            for word in ("priority", "performance"):
                got = server.post(CHAT, chat(service_tier=word), x_lpu_arrival_ns="3000" if word == "priority" else str(10**7))
                self.assertEqual((got[1]["x-lpu-queue-ns"], got[2]["service_tier"]), ("0", "priority"))
            busy = server.post(CHAT, chat(max_tokens=100), x_lpu_arrival_ns=str(2 * 10**7))
            self.assertEqual(busy[0], 200)
            status, headers, answer = server.post(CHAT, chat(service_tier="flex"), x_lpu_arrival_ns=str(2 * 10**7 + 1))
            self.assertEqual((status, answer["error"]["code"]), (498, "capacity_exceeded"))
            self.assertGreater(int(headers["retry-after-ms"]), 0)
            got = server.post(CHAT, chat(service_tier="flex"), x_lpu_arrival_ns=str(4 * 10**7))
            self.assertEqual((got[0], got[2]["service_tier"]), (200, "flex"))
            self.assertEqual(server.post(CHAT, chat(service_tier="gold"))[0], 400)

    def test_mistakes(self):
        program = tools.compiled_tiny()[0]
        for words, code, message in (((program, "--tiers=gold:1"), 2, "--tiers"), ((program, "--tiers=priority:0"), 2, "--tiers"),
                                     ((program, "--tiers=priority:1", "--resident=1"), 2, "--resident"),
                                     ((program, "--tiers=priority:1", "--port=0"), 1, "systems=N")):
            done = run("lpu-serve", *words)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (code, 1), done.stderr)
            self.assertIn(message, done.stderr)


class Load(Case):
    def test_reports(self):
        program = tools.compiled_tiny()[0]
        page, report = self.dir / "load.html", self.dir / "load.json"
        words = (program, "--workload=poisson:2000", "--lengths=8:16", "--systems=1,2", "--slo=ttft:1ms,tpot:50us", "--requests=300")
        for path in (page, report):
            succeed("lpu-load", *words, f"--report={path}")
        got = load_json(report)
        self.assertEqual(len(got["points"]), 2 + 2 * 12)
        first = got["points"][0]
        self.assertEqual((first["requests"], first["refused"], first["load"]), (300, 0, None))
        curve = [p for p in got["points"] if p["systems"] == 1 and p["load"]]
        waits = [p["queue_ns"]["p99"] for p in curve]
        self.assertEqual(waits, sorted(waits))
        self.assertGreater(waits[-1], 10 * waits[0])
        # The time of a token does not depend on load, to the nanosecond.
        self.assertEqual(len({p["tpot_ns"]["p50"] for p in got["points"]}), 1)
        self.assertGreaterEqual(got["fewest_systems"], 1)
        self.assertEqual(page.read_text().count("<svg"), 5)
        self.assertNotIn("http", page.read_text())

    def test_energy_of_a_token(self):
        program = tools.compiled_tiny()[0]
        report, page = self.dir / "load.json", self.dir / "load.html"
        for path in (report, page):
            succeed("lpu-load", program, "--workload=poisson:1", "--lengths=8:16", "--requests=50", "--energy=gf14", f"--report={path}")
        got = load_json(report)
        self.assertEqual(got["energy_table"], "gf14")
        self.assertEqual(page.read_text().count("<svg"), 6)
        joules = [p["joules_per_token"]["typical"] for p in got["points"] if p["load"]]
        self.assertEqual(joules, sorted(joules, reverse=True))  # idle chips are powered, too
        for bound in (p["joules_per_token"] for p in got["points"]):
            self.assertTrue(0 < bound["low"] < bound["typical"] < bound["high"])
        # What static power does not explain is what lpu-explore says of a step: there is one for each token here.
        succeed("lpu-load", program, "--workload=closed:1", "--lengths=1:100", "--requests=20", "--energy=gf14", f"--report={report}")
        point = load_json(report)["points"][0]
        priced = json.loads(succeed("lpu-explore", "energy", program, "--json").stdout)["steps"]
        static = priced[0]["static_watts"]["typical"] / point["tokens_per_second"]
        step = point["joules_per_token"]["typical"] - static
        dynamic = [s["dynamic_joules"]["typical"] for s in priced]
        self.assertTrue(0.999 * min(dynamic) <= step <= 1.001 * max(dynamic), (step, dynamic))
        self.assertIn("no-table", run("lpu-load", program, "--energy=no-table").stderr)

    def test_systems_that_come_and_go(self):
        program, report = tools.compiled_tiny()[0], self.dir / "load.json"
        done = succeed("lpu-load", program, "--workload=gamma:500:0.1", "--lengths=8:16", "--requests=300", "--no-curves",
                       "--autoscale=8", f"--report={report}")
        got = load_json(report)["scaling"]
        seconds = {name: got[name]["chip_seconds"] for name in ("oracle", "reactive", "fixed")}
        self.assertLess(seconds["oracle"], seconds["reactive"])
        self.assertLess(seconds["reactive"], seconds["fixed"])
        self.assertEqual(got["oracle"]["queue_ns"]["p999"], 0)
        self.assertGreater(got["reactive"]["ttft_ns"]["p99"], got["oracle"]["ttft_ns"]["p99"])
        self.assertIn("chip-seconds", done.stdout)
        self.assertIn("--autoscale", run("lpu-load", program, "--autoscale=2", "--workload=closed:1").stderr)

    def test_traces_and_users(self):
        program = tools.compiled_tiny()[0]
        trace = self.dir / "trace.csv"
        trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0,10,4\n2023-11-16 18:15:47.5,3000,4\n"
                         "2023-11-16 18:15:48.0,20,8\n")
        report = self.dir / "load.json"
        succeed("lpu-load", program, f"--workload=trace:{trace}:x2", "--no-curves", f"--report={report}")
        got = load_json(report)
        self.assertEqual((got["requests"], got["dropped"]), (2, 1))
        self.assertEqual(got["points"][0]["offered_per_second"], 2)
        succeed("lpu-load", program, "--workload=closed:4", f"--report={report}", "--requests=50")
        self.assertGreater(load_json(report)["points"][0]["utilization"], 0.95)

    def test_mistakes(self):
        program = tools.compiled_tiny()[0]
        for words, code, message in ((("--workload=poisson:x",), 2, "--workload"), (("--lengths=3",), 2, "--lengths"),
                                     (("--slo=fast",), 2, "--slo"), (("--systems=0",), 2, "--systems"),
                                     (("--workload=closed:2", "--server=http://127.0.0.1:1"), 2, "--server"),
                                     (("--report=x.txt",), 1, ".html or .json"), ((f"--report={program}",), 1, "no kind"),
                                     (("--lengths=9000:1",), 1, "fits its context"), (("--workload=trace:no.csv",), 1, "no.csv"),
                                     (("--server=http://127.0.0.1:9",), 1, "127.0.0.1:9")):
            done = run("lpu-load", program, *words)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)


class Slow(Case):
    """Clients that are slow, silent, half gone or many: they are told, or dropped, and nobody else notices."""

    def test_slow_clients_are_told_and_others_served(self):
        body = json.dumps(chat(max_tokens=2))
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        with serving.serving(tools.compiled_tiny()[0], "--head-timeout=300ms", "--body-timeout=300ms", "--idle-timeout=300ms") as server:
            self.assertTrue(server.raw(head).startswith("HTTP/1.1 408"))
            self.assertTrue(server.raw(head + "\r\n" + body[:5]).startswith("HTTP/1.1 408"))
            self.assertEqual(server.raw(), "")  # nothing was asked
            self.assertEqual(server.raw(head, end=True), "")
            self.assertIn("HTTP/1.1 200 OK", server.raw(head + "\r\n" + body, end=True))
            self.assertEqual(server.post(CHAT, chat(max_tokens=2))[0], 200)

    def test_readers_who_do_not_read(self):
        with serving.serving(tools.compiled_tiny()[0], "--write-timeout=300ms", "--queue=40") as server, contextlib.ExitStack() as stack:
            for _ in range(8):
                connection = stack.enter_context(socket.create_connection((server.host, server.port)))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                body = json.dumps(chat(max_tokens=100, stream=True, logprobs=True, top_logprobs=20))
                connection.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                   f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            self.assertEqual(server.get("/health")[0], 200)
            self.assertEqual(server.post(CHAT, chat(max_tokens=2))[0], 200)

    def test_many_connections(self):
        with serving.serving(tools.compiled_tiny()[0], "--max-connections=20") as server, contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(socket.create_connection((server.host, server.port)))
            status, _, answer = server.get("/health")
            self.assertEqual((status, answer["error"]["code"]), (503, "too_many_connections"))
            stack.close()
            for _ in range(100):  # until the server has seen them go
                if (status := server.get("/health")[0]) == 200:
                    break
            self.assertEqual(status, 200)


class CommandLine(Case):
    def test_mistakes(self):
        program = tools.compiled_tiny()[0]
        config = self.dir / "serve.toml"
        config.write_text("quue=7\n")
        for words, message in (((), "no model given"), (("a.lpx:systems=0",), "systems must be"), (("a.lpx:x=1",), "no option"),
                               (("a=x.lpx", "a=y.lpx"), "another model"), (("a.lpx", "--pace=slow"), "--pace"),
                               (("a.lpx", "--max-wait=3"), "--max-wait"), (("a.lpx", "--head-timeout=0"), "--head-timeout"), (("a.lpx", "--port=99999"), "--port"),
                               (("a.lpx", "--nonsense"), "--nonsense"), (("a.lpx", "--queue=-1"), "--queue"),
                               (("a.lpx", "--max-connections=0"), "--max-connections"), (("a.lpx", f"--config={config}"), "quue"), (("=a.lpx",), "name before")):
            done = run("lpu-serve", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        for words, message in ((("missing.lpx", "--port=0"), "missing.lpx"), (("missing.gguf", "--port=0"), "missing.gguf"),
                               ((program, "--host=0.0.0.0", "--port=0"), "--api-key-file"),
                               ((program, "--host=no.such.host.invalid"), "no address")):
            done = run("lpu-serve", *words)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(message, done.stderr)
        self.assertIn("curl", run("lpu-serve", "--help").stdout)
        self.assertIn("lpu-serve", run("lpu-serve", "--version").stdout)


if __name__ == "__main__":
    tools.main()
