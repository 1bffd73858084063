#!/usr/bin/python3
"""lpu-serve through its sockets: answers equal to lpu-run's, streams equal to answers, times equal to the schedule's."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import re
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import serving
import tools
from serving import CHAT, COMPLETIONS, Server, chat
from tools import Case, load_json, run, succeed


REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def text_of(events):
    return "".join(c["delta"].get("content", "") for e in events if e != "[DONE]" for c in e["choices"])


class Serve(Case):
    """One server of two systems for all tests that do not need options of their own."""

    @classmethod
    def setUpClass(cls):
        cls.program = tools.compiled_tiny()[0]
        cls.server = Server(f"tiny={cls.program}:systems=2")

    @classmethod
    def tearDownClass(cls):
        code, errors = cls.server.stop()
        if code != 0:
            raise AssertionError(f"lpu-serve ended with {code}: {errors}")

    def run_of(self, prompt, count, *flags):
        succeed("lpu-run", self.program, "--prompt", prompt, "-n", count, *flags, f"--report={self.dir / 'run.json'}")
        return load_json(self.dir / "run.json")

    def refuse(self, status, param, body, path=CHAT, code=None):
        got, _, answer = self.server.post(path, body)
        self.assertEqual(got, status, answer)
        self.assertEqual(set(answer), {"error"})
        self.assertEqual(set(answer["error"]), {"message", "type", "param", "code"})
        self.assertEqual(answer["error"]["param"], param, answer)
        if code:
            self.assertEqual(answer["error"]["code"], code)
        return answer["error"]["message"]


class Answers(Serve):
    def test_chat_says_what_lpu_run_says(self):
        status, headers, answer = self.server.post(CHAT, chat())
        ran = self.run_of("Once upon a time", 12)
        self.assertEqual(status, 200)
        choice, usage = answer["choices"][0], answer["usage"]
        self.assertEqual(choice["message"], {"role": "assistant", "content": ran["text"], "refusal": None})
        self.assertEqual(choice["finish_reason"], "length")
        self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"]), (len(ran["prompt_tokens"]), 12))
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 12)
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], "tiny")
        self.assertEqual(answer["lpu"]["cycles_predicted"], answer["lpu"]["cycles_simulated"])
        self.assertEqual(answer["lpu"]["cycles_simulated"], sum(s["simulated_cycles"] for s in ran["steps"]))
        # The promise of an idle system is kept to the nanosecond, and lpu-run's figures with the host agree with it.
        self.assertEqual(headers["x-lpu-queue-ns"], "0")
        self.assertAlmostEqual(int(headers["x-lpu-ttft-ns"]) / 1e3, ran["with_host"]["ttft_us"], delta=0.01)
        self.assertEqual(usage["prompt_time"], int(headers["x-lpu-ttft-ns"]) / 1e9)
        self.assertEqual(round(usage["total_time"] * 1e9), int(headers["x-lpu-total-ns-max"]))

    def test_sampling_follows_the_seed(self):
        for seed in (1, 2):
            _, _, answer = self.server.post(CHAT, chat(temperature=0.8, top_p=0.9, seed=seed))
            ran = self.run_of("Once upon a time", 12, "--temperature", 0.8, "--top-p", 0.9, "--seed", seed)
            self.assertEqual(answer["choices"][0]["message"]["content"], ran["text"])

    def test_stream_is_the_answer_in_pieces(self):
        body = chat(temperature=0.9, seed=3, stream=True, stream_options={"include_usage": True})
        headers, events = self.server.events(CHAT, body)
        _, _, answer = self.server.post(CHAT, chat(temperature=0.9, seed=3))
        self.assertEqual(headers["Content-Type"], "text/event-stream")
        self.assertEqual(text_of(events), answer["choices"][0]["message"]["content"])
        self.assertEqual(events.pop(), "[DONE]")
        first, *middle, finish, last = events
        self.assertEqual(first["choices"][0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual(len(middle), 12)
        self.assertTrue(all(set(e["choices"][0]["delta"]) == {"content"} for e in middle))
        self.assertEqual([e["choices"][0]["finish_reason"] for e in (first, *middle)], [None] * 13)
        self.assertEqual((finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]), ({}, "length"))
        self.assertEqual((last["choices"], last["usage"]["completion_tokens"]), ([], 12))
        self.assertEqual(len({(e["id"], e["created"], e["model"]) for e in events}), 1)
        self.assertTrue(all(e["usage"] is None for e in (first, *middle, finish)))
        self.assertIn("queue_time", last["x_groq"]["usage"])

    def test_completions(self):
        prompt = self.run_of("Once upon a time", 4)["prompt_tokens"]
        _, _, by_text = self.server.post(COMPLETIONS, {"prompt": "Once upon a time", "max_tokens": 4, "temperature": 0})
        _, _, by_ids = self.server.post(COMPLETIONS, {"prompt": prompt, "max_tokens": 4, "temperature": 0})
        self.assertEqual(by_text["choices"], by_ids["choices"])
        self.assertEqual(by_text["object"], "text_completion")
        _, _, several = self.server.post(COMPLETIONS, {"prompt": [prompt, prompt[:3]], "n": 2, "temperature": 1, "seed": 5})
        self.assertEqual([c["index"] for c in several["choices"]], [0, 1, 2, 3])
        self.assertEqual(several["usage"]["completion_tokens"], 4 * 16)  # OpenAI's default
        _, _, second = self.server.post(COMPLETIONS, {"prompt": prompt, "temperature": 1, "seed": 6})
        self.assertEqual(several["choices"][1]["text"], second["choices"][0]["text"])
        _, _, echoed = self.server.post(COMPLETIONS, {"prompt": "Once", "max_tokens": 2, "temperature": 0, "echo": True})
        self.assertTrue(echoed["choices"][0]["text"].strip().startswith("Once"))

    def test_stop_strings_end_the_text_before_them(self):
        _, _, whole = self.server.post(CHAT, chat(max_tokens=40))
        text = whole["choices"][0]["message"]["content"]
        stop = text[9:14]
        for stream in (False, True):
            body = chat(max_tokens=40, stop=["never said", stop], stream=stream)
            if stream:
                events = self.server.events(CHAT, body)[1]
                got, reason = text_of(events), events[-2]["choices"][0]["finish_reason"]
            else:
                choice = self.server.post(CHAT, body)[2]["choices"][0]
                got, reason = choice["message"]["content"], choice["finish_reason"]
            self.assertEqual(got, text[:text.index(stop)])
            self.assertEqual(reason, "stop")

    def test_logprobs(self):
        _, _, answer = self.server.post(CHAT, chat(logprobs=True, top_logprobs=3))
        choice = answer["choices"][0]
        entries = choice["logprobs"]["content"]
        self.assertEqual(len(entries), 12)
        self.assertEqual(bytes(b for e in entries for b in e["bytes"]).decode(), choice["message"]["content"])
        for entry in entries:
            self.assertEqual(len(entry["top_logprobs"]), 3)
            self.assertEqual(entry["logprob"], entry["top_logprobs"][0]["logprob"])  # greedy
            self.assertLessEqual(entry["logprob"], 0)
        _, _, old = self.server.post(COMPLETIONS, {"prompt": "Once", "max_tokens": 3, "temperature": 0, "logprobs": 2})
        logprobs = old["choices"][0]["logprobs"]
        self.assertEqual("".join(logprobs["tokens"]), old["choices"][0]["text"])
        self.assertEqual([len(t) for t in logprobs["top_logprobs"]], [2, 2, 2])
        self.assertEqual(logprobs["text_offset"][:2], [0, len(logprobs["tokens"][0])])

    def reproduce(self, proof):
        """The command of a proof, run in another folder, gives its tokens and digest."""
        sequence = proof["sequences"][0]
        report = self.dir / "proof.json"
        environment = {**os.environ, "PATH": f"{tools.bin_dir}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", sequence["command"] + f" --report={report}"], cwd=self.dir, capture_output=True,
                              text=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(load_json(report)["tokens"], sequence["tokens"], sequence["command"])
        self.assertEqual(load_json(report)["digest"], sequence["digest"], sequence["command"])
        return load_json(report)

    def test_proof_reproduces_the_answer(self):
        _, headers, answer = self.server.post(CHAT, chat(temperature=0.7, seed=11))
        _, _, proof = self.server.get("/lpu/v1/requests/" + headers["x-request-id"])
        self.assertEqual(self.server.get("/lpu/v1/requests/" + answer["id"])[2], proof)
        sequence = proof["sequences"][0]
        self.assertEqual(sequence["cycles_predicted"], sequence["cycles_simulated"])
        self.assertEqual(self.reproduce(proof)["text"], answer["choices"][0]["message"]["content"])

    def test_every_parameter_of_sampling_is_in_the_command(self):
        plain = chat(temperature=0.9, seed=5, max_tokens=40)
        unchanged = self.server.post(CHAT, plain)[2]["choices"]
        for fields in ({"min_p": 0.2}, {"top_k": 4}, {"top_p": 0.5}, {"repetition_penalty": 1.5},
                       {"repeat_penalty": 2, "repeat_last_n": 8}, {"temperature": 0, "repeat_penalty": 1.7}):
            _, headers, answer = self.server.post(CHAT, {**plain, **fields})
            self.assertNotIn("x-lpu-ignored", headers)
            self.assertNotEqual(answer["choices"], unchanged, fields)
            proof = self.server.get("/lpu/v1/requests/" + headers["x-request-id"])[2]
            self.assertEqual(self.reproduce(proof)["text"], answer["choices"][0]["message"]["content"])
        _, headers, answer = self.server.post(CHAT, {**plain, "ignore_eos": True, "stop": ["it's never said"]})
        self.assertEqual(answer["usage"]["completion_tokens"], 40)
        self.reproduce(self.server.get("/lpu/v1/requests/" + headers["x-request-id"])[2])

    def test_models_and_health(self):
        _, _, models = self.server.get("/v1/models")
        self.assertEqual([m["id"] for m in models["data"]], ["tiny"])
        self.assertEqual(models["data"][0]["max_model_len"], 256)
        self.assertEqual(self.server.get("/openai/v1/models")[2], models)
        self.assertEqual(self.server.get("/v1/models/tiny")[2], models["data"][0])
        self.assertEqual(self.server.get("/v1/models/none")[0], 404)
        for path in ("/health", "/healthz", "/v1/health", "/readyz"):
            self.assertEqual(self.server.get(path)[0::2], (200, {"status": "ok"}))

    def test_quote_is_what_a_request_gets(self):
        body = chat(max_tokens=20)
        _, _, quote = self.server.post("/lpu/v1/quote", body)
        _, headers, answer = self.server.post(CHAT, body)
        self.assertEqual(str(quote["ttft_ns"]), headers["x-lpu-ttft-ns"])
        self.assertEqual(str(quote["total_ns_max"]), headers["x-lpu-total-ns-max"])
        self.assertEqual(quote["prompt_tokens"], answer["usage"]["prompt_tokens"])
        self.assertEqual(quote["slots"], {"free": 2, "of": 2, "bound_by": "kv"})


class Refusals(Serve):
    def test_ranges(self):
        for param, values in {"temperature": (-0.01, 2.01, "hot", [1]), "top_p": (0, 1.01), "n": (0, 9, 1.5, 10**30),
                              "max_tokens": (0, -1, 1 << 40), "top_logprobs": (-1, 21), "seed": (1.5, 1 << 63), "min_p": (-0.1, 1.1), "repetition_penalty": (0, -1, "x"),
                              "repeat_penalty": (0,), "repeat_last_n": (-2,), "top_k": (-2, 1.5), "ignore_eos": (1,),
                              "stop": ([""], ["a"] * 5, 3), "stream": ("yes",), "logprobs": (1,),
                              "frequency_penalty": (-2.01, 1), "presence_penalty": (2.01, "x"), "model": (7,)}.items():
            for value in values:
                self.refuse(400, param, chat(**{param: value}))
        for param, value in (("temperature", 2), ("temperature", None), ("top_p", 1), ("n", 1), ("stop", None), ("n", 8),
                             ("stop", ["a"] * 4), ("seed", -1), ("frequency_penalty", 0), ("tools", []),
                             ("response_format", {"type": "text"}), ("logit_bias", {})):
            status, _, answer = self.server.post(CHAT, chat(**{"max_tokens": 1, param: value}))
            self.assertEqual(status, 200, (param, answer))

    def test_messages(self):
        for messages in (None, [], {}, "hi", [{}], [{"role": "robot", "content": "x"}], [{"role": "user"}],
                         [{"role": "user", "content": None}], [{"role": "user", "content": 3}],
                         [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]):
            body = chat()
            body["messages"] = messages
            status, _, answer = self.server.post(CHAT, body)
            self.assertEqual(status, 400, messages)
            self.assertTrue(answer["error"]["param"].startswith("messages"), answer)
        body = chat()
        body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "Once upon"}, {"type": "text", "text": " a time"}]}]
        self.assertEqual(self.server.post(CHAT, body)[2]["choices"], self.server.post(CHAT, chat())[2]["choices"])

    def test_what_is_not_built_is_refused_by_name(self):
        for param, value in {"tools": [{"type": "function"}], "response_format": {"type": "json_object"},
                             "logit_bias": {"5": 1}, "min_tokens": 3, "typical_p": 0.5, "grammar": "x", "frequency_penalty": 0.5,
                             "presence_penalty": 1, "stop_token_ids": [5], "guided_choice": ["a"], "echo": True, "modalities": ["audio"], "functions": [{}]}.items():
            self.assertIn(param, self.refuse(400, param, chat(**{param: value}), code="unsupported_parameter"))
        for param, value in {"suffix": "x", "best_of": 2}.items():
            self.refuse(400, param, {"prompt": "Once", param: value}, COMPLETIONS)
        self.refuse(400, "echo", {"prompt": "Once", "echo": True, "logprobs": 1}, COMPLETIONS, "unsupported_parameter")

    def test_what_is_not_known_is_served_and_said(self):
        _, headers, _ = self.server.post(CHAT, chat(max_tokens=1, metadata={}, chat_template_kwargs={"a": 1}))
        self.assertEqual(headers["x-lpu-ignored"], "metadata, chat_template_kwargs")
        body = chat(max_tokens=1, stream=True, stream_options={"include_usage": True, "x": 1}, **{"a b": 1, "é\r\nSet-Cookie": 2})
        body["messages"][0]["name"] = "Ann"
        headers, _ = self.server.events(CHAT, body)
        self.assertEqual(headers["x-lpu-ignored"],
                         "a%20b, %C3%A9%0D%0ASet-Cookie, messages[].name, stream_options.x")
        self.assertNotIn("Set-Cookie", headers)
        _, headers, _ = self.server.post(CHAT, chat(max_tokens=1, **{f"unknown-{i:04}": i for i in range(1000)}))
        names = headers["x-lpu-ignored"].split(", ")
        self.assertEqual(names[-1], f"and {1000 - len(names) + 1} more")
        self.assertGreater(len(names), 200)

    def test_lengths(self):
        message = self.refuse(400, "messages", chat(max_tokens=300), code="context_length_exceeded")
        self.assertIn("256", message)
        self.refuse(400, "prompt", {"prompt": [1] * 257, "max_tokens": 1}, COMPLETIONS, "context_length_exceeded")
        self.refuse(400, "prompt", {"prompt": [100000]}, COMPLETIONS, "invalid_token")
        for prompt in ("", [], [[]], [""], [-1], [1.5], {}, None, [1, "a"]):
            self.refuse(400, "prompt", {"prompt": prompt}, COMPLETIONS)

    def test_bodies_that_are_no_requests(self):
        for body in ("", "{", "[]", "nul", '{"a":1e999}', '{"messages":"\xff"}'.encode("latin-1"),
                     '{"messages":' + "[" * 40 + "]" * 40 + "}"):
            self.assertEqual(self.server.post(CHAT, body)[0], 400, body)
        self.assertEqual(self.server.post(CHAT, "{}", Content_Type="text/plain")[0], 415)
        self.assertEqual(self.server.post(CHAT, chat(), Content_Encoding="gzip")[0], 415)
        status, headers, _ = self.server.post(CHAT, "{")
        self.assertRegex(headers["x-request-id"], "^req_[0-9a-f]+$")
        self.assertEqual(self.server.post(CHAT, b" " * ((4 << 20) + 1))[0], 413)
        self.refuse(404, "model", chat(model="gpt-4"), code="model_not_found")

    def test_routes_and_methods(self):
        status, headers, _ = self.server.get(CHAT)
        self.assertEqual((status, headers["Allow"]), (405, "POST, OPTIONS"))
        self.assertEqual(self.server.call("DELETE", "/v1/models")[0], 405)
        self.assertEqual(self.server.get("/v2")[0], 404)
        self.assertEqual(self.server.get("/lpu/v1/requests/req_0")[0], 404)
        self.assertEqual(self.server.call("HEAD", "/health")[0], 200)

    def test_heads_that_two_servers_could_read_in_two_ways(self):
        start, host = "POST /v1/chat/completions HTTP/1.1\r\n", "Host: localhost\r\n"
        length, chunked = "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"
        for head in (start + host + length + chunked, start + host + length + length, start + host + "Content-Length: 3, 3\r\n",
                     start + host + "Content-Length: +3\r\n", start + host + "Content-Length: -1\r\n",
                     start + host + "Transfer-Encoding: gzip, chunked\r\n", start + host + "Transfer-Encoding: chunked, gzip\r\n",
                     start + host + "Transfer-Encoding: identity\r\n", start + host + "Transfer-Encoding: xchunked\r\n",
                     start + host + chunked + chunked, start + host + "Content-Type: a/b\r\n" * 2, start + host + "Content-Length : 3\r\n", start + host + " folded: 1\r\n",
                     start + host + "A: 1\r\n b\r\n", start + length, start + host + host + length, start + "Host: a, b\r\n" + length,
                     start + host + "A: \0\r\n", start + host + "A: \r1\r\n", start.replace("\r\n", "\n") + host,
                     start.replace("1.1", "1.0") + host + chunked, "POST http://localhost/v1 HTTP/1.1\r\n" + host,
                     "GET /health\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n", start + host + "Content-Length: " + "9" * 30 + "\r\n"):
            answer = self.server.raw(head + "\r\nabc")
            self.assertRegex(answer, r"^HTTP/1.1 (400|505) ", head)
            self.assertIn("\r\nConnection: close\r\n", answer)
            self.assertEqual(answer.count("\r\nServer:"), 1, head)
        for size in ("-2", "0x3", "f" * 18, "zz"):
            answer = self.server.raw(start + host + chunked + f"\r\n{size}\r\nabc\r\n0\r\n\r\n")
            self.assertRegex(answer, r"^HTTP/1.1 4(00|13) ", size)
        self.assertTrue(self.server.raw(start + host + "A: " + "b" * 20000).startswith("HTTP/1.1 431"))
        self.assertTrue(self.server.raw(start + host + "A: b\r\n" * 101 + "\r\n").startswith("HTTP/1.1 431"))
        self.assertTrue(self.server.raw(start + host + "Expect: tea\r\n" + length + "\r\nabc").startswith("HTTP/1.1 417"))
        trailer = start.replace("chat/completions", "models") + host + chunked + "Connection: close\r\n\r\n0\r\nHost: evil\r\n\r\n"
        self.assertTrue(self.server.raw(trailer.replace("POST", "GET")).startswith("HTTP/1.1 200"))  # trailers are no fields
        big = start + host + chunked + "\r\n" + ("10000\r\n" + "a" * 65536 + "\r\n") * 80 + "0\r\n\r\n"
        self.assertTrue(self.server.raw(big).startswith("HTTP/1.1 413"))
        chunks = start + host + chunked + "\r\n"
        self.assertTrue(self.server.raw(chunks + "1;a=" + "b" * (2 << 20)).startswith("HTTP/1.1 431"))
        self.assertTrue(self.server.raw(chunks + "0\r\nA: " + "b" * (2 << 20)).startswith("HTTP/1.1 431"))
        self.assertTrue(self.server.raw(chunks + "0\r\n" + "A: b\r\n" * (1 << 18)).startswith("HTTP/1.1 431"))
        self.assertTrue(self.server.raw(chunks + ("1;a=" + "b" * 8000 + "\r\nc\r\n") * 1200).startswith("HTTP/1.1 413"))
        self.assertEqual(self.server.get("/health")[0], 200)

    def test_hosts(self):
        for host, status in (("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:1", 200), ("evil.example", 403),
                             ("localhost.evil.example", 403), ("192.168.0.1", 403)):
            self.assertEqual(self.server.get("/health", Host=host)[0], status, host)
        _, headers, _ = self.server.get("/health", Origin="http://evil.example")
        self.assertFalse([name for name in headers if name.lower().startswith("access-control")])

    def test_expect_and_pipelining(self):
        body = json.dumps(chat(max_tokens=1))
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        answer = self.server.raw(head + "Expect: 100-continue\r\nConnection: close\r\n\r\n", body)
        self.assertTrue(answer.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), answer[:80])
        get = "GET /health HTTP/1.1\r\nHost: localhost\r\n"
        answer = self.server.raw(get + "\r\n" + get + "\r\n" + get + "Connection: close\r\n\r\n")
        self.assertEqual(answer.count("HTTP/1.1 200 OK"), 3)
        old = self.server.raw("GET /health HTTP/1.0\r\n\r\n")
        self.assertRegex(old, "^HTTP/1.1 403 ")  # no Host, which loopback asks for


class Lives(Case):
    """Servers with options of their own."""

    def setUp(self):
        super().setUp()
        self.program = tools.compiled_tiny()[0]

    def test_model_file_is_compiled_first(self):
        with serving.serving(tools.TINY, "--lpucc=--max-context=64") as server:
            self.assertEqual(server.get("/v1/models")[2]["data"][0]["id"], "model")
            self.assertEqual(server.post(CHAT, chat())[0], 200)
            line = server.process.stdout.readline()
            self.assertTrue(line.startswith("try: curl "))
            if shutil.which("curl"):
                done = subprocess.run(["sh", "-c", line.removeprefix("try: ")], capture_output=True, text=True)
                self.assertEqual(json.loads(done.stdout)["usage"]["completion_tokens"], 32)

    def test_the_readmes_command_ends_with_a_curl_line_that_works(self):
        command = ["scripts/demo.sh", "--serve", "--port=0"]
        self.assertIn(" ".join(command[:2]), (REPOSITORY / "README.md").read_text())
        with subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "LPU_BIN": str(tools.bin_dir)}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                self.assertRegex(process.stdout.readline(), r"^serving at http://127.0.0.1:\d+\n$")
                line = process.stdout.readline()
                self.assertTrue(line.startswith("try: curl "), line)
                if shutil.which("curl"):
                    done = subprocess.run(["sh", "-c", line.removeprefix("try: ")], capture_output=True, text=True)
                    self.assertEqual(len(json.loads(done.stdout)["choices"]), 1)
            finally:
                process.terminate()  # the script has become the server
        self.assertEqual(process.returncode, 0)

    def test_keys(self):
        keys = self.dir / "keys"
        keys.write_text("first-key\nsecond-key\n")
        self.assertIn("chmod 600", run("lpu-serve", self.program, "--port=0", f"--api-key-file={keys}").stderr)
        keys.chmod(0o600)
        with serving.serving(self.program, f"--api-key-file={keys}", "--cors-origin=http://a.example") as server:
            for key, status in (("", 401), ("Bearer wrong", 401), ("Bearer first-key", 200), ("bEARER second-key", 200)):
                self.assertEqual(server.get("/v1/models", Authorization=key)[0], status)
            self.assertEqual(server.get("/health")[0], 200)
            status, headers, _ = server.call("OPTIONS", CHAT, Origin="http://a.example", Access_Control_Request_Method="POST",
                                             Access_Control_Request_Headers="authorization,x-stainless-os")
            self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "http://a.example"))
            self.assertEqual(headers["Access-Control-Allow-Headers"], "authorization,x-stainless-os")

    def test_a_full_queue_says_when_to_come_back(self):
        with serving.serving(self.program, "--queue=1") as server, contextlib.ExitStack() as open_ones:
            for _ in range(2):  # one runs, one waits
                connection = http.client.HTTPConnection(server.host, server.port)
                open_ones.callback(connection.close)
                server.send(connection, "POST", CHAT, chat(max_tokens=240, stream=True))
                response = connection.getresponse()
                self.assertEqual(response.status, 200)
            self.assertGreater(int(response.headers["x-lpu-queue-ns"]), 0)
            status, headers, answer = server.post(CHAT, chat())
            self.assertEqual((status, answer["error"]["code"]), (429, "queue_full"))
            self.assertEqual(int(headers["retry-after"]), -(-int(headers["retry-after-ms"]) // 1000))
            status, _, answer = server.post(CHAT, chat(), x_lpu_deadline_ns="5")
            self.assertEqual(answer["error"]["code"], "queue_full")
        # Everyone has left: their slots are free again at the ends of their steps, and the server ends at once.

    def test_who_leaves_frees_the_system(self):
        log = self.dir / "log.jsonl"
        with serving.serving(self.program, f"--request-log={log}") as server:
            connection = http.client.HTTPConnection(server.host, server.port)
            server.send(connection, "POST", CHAT, chat(max_tokens=240, stream=True))
            response = connection.getresponse()
            name = response.headers["x-request-id"]
            response.read(20)
            response.close()
            connection.close()
            self.assertEqual(server.post(CHAT, chat(max_tokens=2))[0], 200)
            sequence = server.get("/lpu/v1/requests/" + name)[2]["sequences"][0]
            self.assertEqual(sequence["finish_reason"], "cancelled")
            self.assertLess(len(sequence["tokens"]), 240)
        noted = [(line["id"], line["status"]) for line in map(json.loads, log.read_text().splitlines())]
        self.assertIn((name, 499), noted)

    def test_who_leaves_a_dilated_system_frees_it_with_the_step_that_runs(self):
        # A step takes some 0.5 s, 240 of them two minutes; they are computed within a second.
        with serving.serving(self.program, "--pace=dilate:20000", "--queue=0") as server:
            for stream in (True, False):
                with socket.create_connection((server.host, server.port), timeout=tools.TIMEOUT) as connection:
                    body = json.dumps(chat(max_tokens=240, stream=stream))
                    connection.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                       f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
                    while server.get("/lpu/v1/systems")[2]["data"][0]["running"] == 0:
                        time.sleep(0.01)
                    if stream:
                        name = re.search(rb"x-request-id: (\S+)", connection.recv(65536))[1].decode()
                        self.assertEqual(server.post(CHAT, chat())[2]["error"]["code"], "queue_full")
                while server.get("/lpu/v1/systems")[2]["data"][0]["running"]:
                    time.sleep(0.01)
            sequence = server.get("/lpu/v1/requests/" + name)[2]["sequences"][0]
            self.assertEqual(sequence["finish_reason"], "cancelled")
            self.assertLess(len(sequence["tokens"]), 200)
            self.assertIn('finished_reason="cancelled"} 2\n', server.get("/metrics")[2])

    def test_who_closes_the_writing_half_still_gets_an_answer(self):
        with serving.serving(self.program) as server:
            body = json.dumps(chat(max_tokens=200, stream=False))
            answer = server.raw(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                f"Content-Length: {len(body)}\r\n\r\n{body}", end=True)
            # Whether anybody listens is asked by an interim answer.
            self.assertRegex(answer, r"^(HTTP/1.1 100 Continue\r\n\r\n)?HTTP/1.1 200 OK\r\n")
            self.assertEqual(json.loads(answer.rpartition("\r\n\r\n")[2])["usage"]["completion_tokens"], 200)

    def test_waits_and_deadlines_are_virtual(self):
        with serving.serving(self.program, "--max-wait=1us", "--virtual-arrivals") as server:
            first = server.post(CHAT, chat(max_tokens=100), x_lpu_arrival_ns="1000")
            self.assertEqual(first[1]["x-lpu-queue-ns"], "0")
            status, headers, answer = server.post(CHAT, chat(), x_lpu_arrival_ns="2000")
            self.assertEqual((status, answer["error"]["code"]), (429, "rate_limit_exceeded"))
            total = int(first[1]["x-lpu-total-ns-max"])
            self.assertEqual(int(headers["retry-after-ms"]), -(-(1000 + total - 2000 - 1000) // 1000000))
            self.assertEqual(server.post(CHAT, chat(), x_lpu_arrival_ns=str(1000 + total))[0], 200)
            self.assertEqual(server.post(CHAT, chat(), x_lpu_arrival_ns="5")[0], 400)
            late = str(10**9)
            self.assertEqual(server.post(CHAT, chat(), x_lpu_arrival_ns=late, x_lpu_deadline_ns="5")[2]["error"]["code"],
                             "deadline_impossible")

    def test_several_sequences_on_one_system_are_counted(self):
        with serving.serving(self.program, "--queue=2") as server:
            body = chat(n=2, max_tokens=10)
            quote = server.post("/lpu/v1/quote", body)[2]
            single = server.post("/lpu/v1/quote", chat(max_tokens=10))[2]
            self.assertEqual(quote["cycles_max"], 2 * single["cycles_max"])
            total = quote["total_ns_max"]
            status, _, answer = server.post(CHAT, body, x_lpu_deadline_ns=str(total - 2))
            self.assertEqual((status, answer["error"]["code"]), (400, "deadline_impossible"))
            status, headers, answer = server.post(CHAT, body, x_lpu_deadline_ns=str(total))
            self.assertEqual(status, 200, answer)
            for name, header in (("total_ns_max", "total-ns-max"), ("ttft_ns", "ttft-ns"), ("cycles_max", "cycles-max"), ("start_ns", "queue-ns")):
                self.assertEqual(str(quote[name]), headers["x-lpu-" + header])
            usage = answer["usage"]
            self.assertEqual((usage["queue_time"], usage["prompt_time"]), (0, quote["ttft_ns"] / 1e9))
            self.assertEqual(round(usage["total_time"] * 1e9), total)
            status, _, answer = server.post(CHAT, chat(n=4, max_tokens=1))
            self.assertEqual((status, answer["error"]["code"], answer["error"]["param"]), (400, "too_many_sequences", "n"))

    def test_batches_and_systems_say_the_same(self):
        batch = self.dir / "batch.lpx"
        succeed("lpucc", tools.TINY, "-o", batch, "--max-context=128", "--batch=3")
        with serving.serving(f"one={self.program}:systems=2", f"three={batch}") as server:
            bodies = [chat(text, max_tokens=n) for text, n in (("Once", 20), ("The cat sat", 5), ("A big dog", 12), ("One day", 9))]
            alone = [server.post(CHAT, {**b, "model": "one"})[2]["choices"][0] for b in bodies]
            with contextlib.ExitStack() as open_ones:
                connections = []
                for body in bodies:
                    connections.append(http.client.HTTPConnection(server.host, server.port))
                    open_ones.callback(connections[-1].close)
                    server.send(connections[-1], "POST", CHAT, {**body, "model": "three"})
                together = [json.loads(c.getresponse().read())["choices"][0] for c in connections]
            self.assertEqual(together, alone)
            self.assertEqual(server.post(CHAT, chat())[0], 400)  # which model?

    def test_an_order_to_end_lets_running_requests_end(self):
        server = Server(self.program)
        connection = http.client.HTTPConnection(server.host, server.port)
        server.send(connection, "POST", CHAT, chat(max_tokens=200, stream=True))
        response = connection.getresponse()
        server.process.send_signal(signal.SIGTERM)
        events = serving.parse_events(response.read().decode())
        self.assertEqual(events[-1], "[DONE]")
        self.assertEqual(server.stop()[0], 0)

    def test_a_simulator_that_dies_is_told(self):
        server = Server(self.program)
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        status, _, answer = server.post(CHAT, chat())
        self.assertIn(status, (500, 503))
        self.assertEqual(answer["error"]["code"], "model_broken")
        self.assertEqual(server.get("/health")[0], 503)
        self.assertEqual(server.stop()[0], 0)


class Templates(Case):
    """Chats through templates, with a tokenizer whose control tokens a template writes."""

    TEMPLATE = """{{ bos_token }}{% for message in messages %}
[{{ message.role | upper }}] {{ message['content'] | trim }}
{% endfor %}
{% if add_generation_prompt %}[ASSISTANT]{% endif %}"""

    def serve(self, source):
        path = self.dir / "template.jinja"
        path.write_text(source)
        return serving.serving(f"{tools.compiled_tiny()[0]}:template={path}")

    def test_messages_become_what_the_template_says(self):
        try:
            import jinja2  # noqa: F401
        except ImportError:
            self.skipTest("python3-jinja2 is missing")
        with self.serve(self.TEMPLATE) as server:
            body = {"messages": [{"role": "system", "content": " Be kind. "}, {"role": "user", "content": "Once upon"}],
                    "max_tokens": 3, "temperature": 0}
            text = server.post("/apply-template", body)[2]["prompt"]
            self.assertEqual(text, "<s>[SYSTEM] Be kind.\n[USER] Once upon\n[ASSISTANT]")
            self.assertEqual(server.get("/v1/models")[2]["data"][0]["lpu"]["chat_template"], "file")
            _, _, answer = server.post(CHAT, body)
            proof = server.get("/lpu/v1/requests/" + answer["id"])[2]["sequences"][0]["prompt_tokens"]
            self.assertEqual(proof.count(1), 1)  # one BOS: the template's
            plain = server.post(COMPLETIONS, {"prompt": text.removeprefix("<s>"), "max_tokens": 3, "temperature": 0})[2]
            self.assertEqual(answer["choices"][0]["message"]["content"], plain["choices"][0]["text"])
            body["messages"][1]["content"] = "<s></s>"  # what users write stays text
            answer = server.post(CHAT, body)[2]
            proof = server.get("/lpu/v1/requests/" + answer["id"])[2]["sequences"][0]["prompt_tokens"]
            self.assertEqual((proof.count(1), proof.count(2)), (1, 0))

    def test_a_template_of_wrong_syntax_ends_the_start(self):
        path = self.dir / "template.jinja"
        path.write_text("{% if %}")
        done = run("lpu-serve", f"{tools.compiled_tiny()[0]}:template={path}", "--port=0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("TemplateSyntaxError", done.stderr)

    def test_a_slow_template_delays_its_own_model_alone(self):
        loop, good = self.dir / "loop.jinja", self.dir / "good.jinja"
        loop.write_text("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
        good.write_text(self.TEMPLATE)
        program = tools.compiled_tiny()[0]
        with serving.serving(f"slow={program}:template={loop}", f"fast={program}:template={good}") as server, \
                contextlib.ExitStack() as open_ones:
            waiting = []
            for _ in range(12):  # each may compute for 2 s
                waiting.append(http.client.HTTPConnection(server.host, server.port))
                open_ones.callback(waiting[-1].close)
                server.send(waiting[-1], "POST", CHAT, chat(model="slow"))
            self.assertEqual(server.post(CHAT, chat(model="fast", max_tokens=2))[0], 200)
            self.assertEqual(server.post(COMPLETIONS, {"model": "slow", "prompt": "Once", "max_tokens": 2})[0], 200)
            silent = [c for c in waiting if not select.select([c.sock], [], [], 0)[0]]
            self.assertGreater(len(silent), 0)
            refused = [c.getresponse() for c in waiting if c not in silent]
            self.assertEqual({r.status for r in refused}, {503})  # too many wait
            response = waiting[0].getresponse()
            self.assertEqual((response.status, json.loads(response.read())["error"]["code"]), (400, "template_error"))

    def test_templates_that_do_harm_are_stopped(self):
        for source, message in (("{{ raise_exception('only users') }}", "only users"),
                                ("{{ messages.append(1) }}", "SecurityError"), ("{{ ''.__class__.__mro__ }}", "SecurityError"),
                                ("{{ 'a' * 3000000 }}", "1 MiB"), ("{{ 'a' * 3000000000 }}", "MemoryError")):
            with self.serve(source) as server:
                for _ in range(2):
                    status, _, answer = server.post(CHAT, chat())
                    self.assertEqual((status, answer["error"]["code"]), (400, "template_error"), source)
                    self.assertIn(message, answer["error"]["message"])
                self.assertEqual(server.get("/health")[0], 200)


if __name__ == "__main__":
    tools.main()
