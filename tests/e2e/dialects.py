#!/usr/bin/python3
"""The dialects of lpu-serve through its sockets: texts equal to lpu-run's, streams equal to answers, refusals in each
dialect's shape, and the server's own fields, keys and quotes in all of them."""
import base64
import contextlib
import http.client
import json
import pathlib
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import serving
import tools
from tools import Case, load_json, np, run, succeed

PROMPT, COUNT = "Once upon a time", 12
MESSAGES = [{"role": "user", "content": PROMPT}]


def frames(content):
    """(headers, payload) of each frame of a binary event stream; lengths and checksums must hold."""
    out = []
    while content:
        total, head, crc = struct.unpack(">III", content[:12])
        assert crc == zlib.crc32(content[:8])
        assert struct.unpack(">I", content[total - 4:total])[0] == zlib.crc32(content[:total - 4])
        headers, at = {}, 12
        while at < 12 + head:
            size = content[at]
            name = content[at + 1:at + 1 + size].decode()
            kind, length = struct.unpack(">BH", content[at + 1 + size:at + 4 + size])
            assert kind == 7
            headers[name] = content[at + 4 + size:at + 4 + size + length].decode()
            at += 4 + size + length
        out.append((headers, json.loads(content[at:total - 4])))
        content = content[total:]
    return out


class Dialect:
    """How a dialect asks for PROMPT and what its answers say."""

    def __init__(self, path, body, text, stream, pieces, bad, error):
        self.path, self.body, self.text, self.stream, self.pieces, self.bad, self.error = \
            path, body, text, stream, pieces, bad, error


def lines(content):
    return "".join(line["message"]["content"] for line in map(json.loads, content.decode().splitlines()))


def anthropic_events(content):
    events = [block.split("\n") for block in content.decode().split("\n\n")[:-1]]
    out = []
    for name, data in events:
        data = json.loads(data.removeprefix("data: "))
        assert name == "event: " + data["type"]
        out.append(data)
    return out


def anthropic_text(content):
    return "".join(e["delta"]["text"] for e in anthropic_events(content) if e["type"] == "content_block_delta")


def gemini_text(parts):
    return "".join(part["candidates"][0]["content"]["parts"][0]["text"] for part in parts)


def bedrock_text(content):
    return "".join(p["delta"]["text"] for h, p in frames(content) if h[":event-type"] == "contentBlockDelta")


OLLAMA_OPTIONS = {"temperature": 0, "repeat_penalty": 1, "num_predict": COUNT}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
          "generationConfig": {"temperature": 0, "maxOutputTokens": COUNT}}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": PROMPT}]}],
            "inferenceConfig": {"temperature": 0, "maxTokens": COUNT}}

DIALECTS = {
    "ollama": Dialect(
        "/api/chat", {"model": "tiny:latest", "messages": MESSAGES, "options": OLLAMA_OPTIONS, "stream": False},
        lambda a: a["message"]["content"], ("/api/chat", {"stream": True}), lines,
        {"options": {"temperature": -1}}, lambda a, text: a == {"error": text}),
    "anthropic": Dialect(
        "/v1/messages", {"model": "tiny", "messages": MESSAGES, "max_tokens": COUNT, "temperature": 0},
        lambda a: a["content"][0]["text"], ("/v1/messages", {"stream": True}), anthropic_text,
        {"temperature": -1}, lambda a, text: (a["type"], a["error"]["message"]) == ("error", text)),
    "gemini": Dialect(
        "/v1beta/models/tiny:generateContent", GEMINI, lambda a: gemini_text([a]),
        ("/v1beta/models/tiny:streamGenerateContent?alt=sse", {}), lambda c: gemini_text(serving.parse_events(c.decode())),
        {"generationConfig": {"temperature": -1}}, lambda a, text: a["error"]["message"] == text and "status" in a["error"]),
    "vertex": Dialect(
        "/v1/projects/p/locations/l/publishers/google/models/tiny:generateContent", GEMINI, lambda a: gemini_text([a]),
        ("/v1/projects/p/locations/l/publishers/google/models/tiny:streamGenerateContent", {}),
        lambda c: gemini_text(json.loads(c)),
        {"generationConfig": {"temperature": -1}}, lambda a, text: a["error"]["message"] == text and "status" in a["error"]),
    "bedrock": Dialect(
        "/model/arn%3Aaws%3Abedrock%3Alocal%3A%3Afoundation-model%2Ftiny/converse", CONVERSE,
        lambda a: a["output"]["message"]["content"][0]["text"], ("/model/tiny/converse-stream", {}), bedrock_text,
        {"inferenceConfig": {"temperature": -1}}, lambda a, text: a["message"] == text and a["__type"].endswith("Exception")),
}


def post(server, path, body, **fields):
    """(status, header fields, bytes)."""
    with contextlib.closing(http.client.HTTPConnection(server.host, server.port, timeout=tools.TIMEOUT)) as connection:
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in fields.items()}}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


class Answers(Case):
    @classmethod
    def setUpClass(cls):
        cls.program = tools.compiled_tiny()[0]
        cls.server = serving.Server(f"tiny={cls.program}")

    @classmethod
    def tearDownClass(cls):
        code, errors = cls.server.stop()
        if code != 0:
            raise AssertionError(f"lpu-serve ended with {code}: {errors}")

    def run_of(self, *flags):
        succeed("lpu-run", self.program, "--prompt", PROMPT, "-n", COUNT, *flags, f"--report={self.dir / 'run.json'}")
        return load_json(self.dir / "run.json")

    def test_texts_are_lpu_runs(self):
        text = self.run_of()["text"]
        for name, dialect in DIALECTS.items():
            with self.subTest(name):
                status, headers, content = post(self.server, dialect.path, dialect.body)
                self.assertEqual(status, 200, content)
                self.assertEqual(dialect.text(json.loads(content)), text)
                path, more = dialect.stream
                status, streamed, content = post(self.server, path, {**dialect.body, **more})
                self.assertEqual(status, 200, content)
                self.assertEqual(dialect.pieces(content), text)
                for head in (headers, streamed):
                    self.assertGreater(int(head["x-lpu-ttft-ns"]), 0)
                    self.assertEqual(head["x-lpu-queue-ns"], "0")
                    self.assertIn("sha256:", head["x-lpu-program"])
                proof = self.server.get("/lpu/v1/requests/" + headers["x-request-id"])[2]["sequences"][0]
                self.assertEqual(proof["cycles_predicted"], proof["cycles_simulated"])

    def test_mistakes_are_named_in_the_dialects_shape(self):
        for name, dialect in DIALECTS.items():
            with self.subTest(name):
                status, headers, content = post(self.server, dialect.path, {**dialect.body, **dialect.bad})
                self.assertEqual(status, 400, content)
                place = next(iter(dialect.bad))
                place = "" if place == "temperature" else place + "."
                top = {"ollama": 100, "anthropic": 1, "bedrock": 1}.get(name, 2)
                text = f"{place}temperature must be a number between 0 and {top}, got -1"
                self.assertTrue(dialect.error(json.loads(content), text), content)
                self.assertIn("x-request-id", headers)
                status, _, content = post(self.server, dialect.path, {"x": 1}, Content_Type="text/plain")
                self.assertEqual(status, 415)
                self.assertTrue(dialect.error(json.loads(content), "Content-Type must be application/json"), content)
                status, _, content = post(self.server, dialect.path.replace("tiny", "absent"),
                                          {**dialect.body, "model": "absent"})
                self.assertEqual(status, 404, content)
                self.assertIn(b"absent", content)

    def test_fields_without_effect_are_listed(self):
        for name, dialect in DIALECTS.items():
            with self.subTest(name):
                _, headers, _ = post(self.server, dialect.path, {**dialect.body, "voodoo": 1})
                self.assertIn("voodoo", headers["x-lpu-ignored"])

    def test_quotes_are_kept(self):
        for name, dialect in DIALECTS.items():
            with self.subTest(name):
                status, _, content = post(self.server, dialect.path, dialect.body, x_lpu_quote="1")
                self.assertEqual(status, 200, content)
                quote = json.loads(content)
                _, headers, _ = post(self.server, dialect.path, dialect.body)
                self.assertEqual(quote["max_tokens"], COUNT)
                for key in ("ttft_ns", "total_ns_max"):
                    self.assertEqual(quote[key], int(headers["x-lpu-" + key.replace("_", "-")]))

    def test_ollama(self):
        penalized = self.run_of("--repeat-penalty", 1.1)
        body = {"prompt": PROMPT, "options": {"temperature": 0, "num_predict": COUNT}, "stream": False}
        _, headers, answer = self.server.post("/api/generate", body)
        self.assertEqual(answer["response"], penalized["text"])
        self.assertEqual(answer["prompt_eval_duration"], int(headers["x-lpu-ttft-ns"]))
        self.assertAlmostEqual(answer["total_duration"], int(headers["x-lpu-total-ns-max"]), delta=1)
        self.assertEqual((answer["eval_count"], answer["done_reason"]), (COUNT, "length"))
        command = self.server.get("/lpu/v1/requests/" + headers["x-request-id"])[2]["sequences"][0]["command"]
        self.assertIn("--repeat-penalty 1.1", command)
        raw = self.server.post("/api/generate", {**body, "raw": True, "options": OLLAMA_OPTIONS})[2]
        self.assertEqual(raw["response"], self.run_of()["text"])
        status, _, loaded = post(self.server, "/api/generate", {"model": "tiny"})
        self.assertEqual((status, json.loads(loaded)["done_reason"]), (200, "load"))
        self.assertEqual(self.server.get("/api/tags")[2]["models"][0]["name"], "tiny")
        self.assertEqual(self.server.get("/api/ps")[2]["models"][0]["name"], "tiny")
        self.assertIn("version", self.server.get("/api/version")[2])
        self.assertEqual(self.server.post("/api/show", {"name": "tiny:latest"})[2]["capabilities"], ["completion"])
        self.assertEqual(self.server.post("/api/show", {"name": "absent"})[:3:2], (404, {"error": "model 'absent' not found"}))
        self.assertEqual(self.server.post("/api/pull", {})[0], 404)

    def test_anthropic(self):
        body = DIALECTS["anthropic"].body
        text = self.run_of()["text"]
        counted = self.server.post("/v1/messages/count_tokens", {"model": "tiny", "messages": MESSAGES})[2]
        stopped = self.server.post("/v1/messages", {**body, "stop_sequences": ["never said", text[9:14]]})[2]
        self.assertEqual((stopped["stop_reason"], stopped["stop_sequence"]), ("stop_sequence", text[9:14]))
        self.assertEqual(stopped["content"][0]["text"], text[:text.index(text[9:14])])
        self.assertEqual(stopped["usage"]["input_tokens"], counted["input_tokens"])
        _, _, content = post(self.server, "/v1/messages", {**body, "stop_sequences": [text[9:14]], "stream": True})
        events = anthropic_events(content)
        self.assertEqual([e["type"] for e in events[:3]], ["message_start", "content_block_start", "ping"])
        self.assertEqual(events[-2]["delta"], {"stop_reason": "stop_sequence", "stop_sequence": text[9:14]})
        wish = self.server.post("/v1/messages", {**body, "max_tokens": 100000})[2]  # a bound, not a demand
        self.assertLess(wish["usage"]["output_tokens"], 1000)
        models = self.server.get("/v1/models", anthropic_version="2023-06-01")[2]
        self.assertEqual((models["data"][0]["id"], models["has_more"]), ("tiny", False))
        self.assertEqual(self.server.get("/v1/models")[2]["object"], "list")
        status, headers, answer = self.server.get("/v1/models/absent", anthropic_version="2023-06-01")
        self.assertEqual((status, answer["error"]["type"], answer["request_id"]), (404, "not_found_error", headers["request-id"]))

    def test_gemini(self):
        body = DIALECTS["gemini"].body
        counted = self.server.post("/v1beta/models/tiny:countTokens", {"contents": GEMINI["contents"]})[2]
        answer = self.server.post("/v1beta/models/tiny:generateContent", body)[2]
        self.assertEqual(answer["usageMetadata"]["promptTokenCount"], counted["totalTokens"])
        self.assertEqual(answer["candidates"][0]["finishReason"], "MAX_TOKENS")
        self.assertEqual(self.server.get("/v1beta/models")[2]["models"][0]["name"], "models/tiny")
        self.assertEqual(self.server.get("/v1beta/models/tiny")[2]["name"], "models/tiny")
        self.assertEqual(self.server.get("/v1/models", x_goog_api_key="k")[2]["models"][0]["name"], "models/tiny")
        self.assertEqual(self.server.get("/v1/models/tiny", x_goog_api_client="k")[2]["name"], "models/tiny")
        self.assertEqual(self.server.get("/v1beta1/publishers/google/models")[2]["publisherModels"][0]["name"],
                         "publishers/google/models/tiny")
        several = self.server.post("/v1beta/models/tiny:generateContent", {
            **GEMINI, "generationConfig": {"candidateCount": 2, "seed": 3, "maxOutputTokens": 4}})[2]
        self.assertEqual([c["index"] for c in several["candidates"]], [0, 1])
        self.assertEqual(self.server.post("/v1beta/models/tiny:predict", body)[0], 404)

    def test_bedrock(self):
        text = self.run_of()["text"]
        meta = {"prompt": PROMPT, "max_gen_len": COUNT, "temperature": 0}
        _, _, answer = self.server.post("/model/tiny/invoke", meta)
        self.assertEqual((answer["generation"], answer["stop_reason"]), (text, "length"))
        status, headers, content = post(self.server, "/model/tiny/invoke-with-response-stream", meta,
                                        Content_Type="application/octet-stream")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/vnd.amazon.eventstream"))
        chunks = [json.loads(base64.b64decode(payload["bytes"])) for _, payload in frames(content)]
        self.assertEqual("".join(c["generation"] for c in chunks), text)
        self.assertEqual(chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"], COUNT)
        anthropics = {"anthropic_version": "bedrock-2023-05-31", "messages": MESSAGES, "max_tokens": COUNT, "temperature": 0}
        self.assertEqual(self.server.post("/model/tiny/invoke", anthropics)[2]["content"][0]["text"], text)
        counted = self.server.post("/model/tiny/count-tokens", {"input": {"converse": {"messages": CONVERSE["messages"]}}})[2]
        self.assertEqual(counted["inputTokens"], answer["prompt_token_count"])
        _, _, content = post(self.server, "/model/tiny/converse-stream", CONVERSE)
        self.assertEqual([h[":event-type"] for h, _ in frames(content) if h[":event-type"] != "contentBlockDelta"],
                         ["messageStart", "contentBlockStop", "messageStop", "metadata"])
        self.assertEqual(self.server.get("/foundation-models")[2]["modelSummaries"][0]["modelId"], "tiny")
        self.assertEqual(self.server.get("/foundation-models/tiny")[2]["modelDetails"]["modelId"], "tiny")
        status, headers, _ = post(self.server, "/model/absent/converse", CONVERSE)
        self.assertEqual((status, headers["x-amzn-errortype"]), (404, "ResourceNotFoundException"))


class Limits(Case):
    STATUS = {"ollama": 503}
    KEYS = {"ollama": {"Authorization": "Bearer first-key"}, "anthropic": {"x_api_key": "first-key"},
            "gemini": {"x_goog_api_key": "first-key"}, "vertex": {"Authorization": "bearer first-key"},
            "bedrock": {"Authorization": "AWS4-HMAC-SHA256 Credential=first-key/20261129/us-east-1/bedrock/aws4_request, "
                                         "SignedHeaders=host, Signature=0"}}

    def test_refusals(self):
        """While one request runs and none may wait, each dialect says so in its own words, and when to come back."""
        with serving.serving(f"tiny={tools.compiled_tiny()[0]}", "--queue=0", "--pace=dilate:100000") as server:
            with contextlib.closing(http.client.HTTPConnection(server.host, server.port)) as busy:
                server.send(busy, "POST", "/v1/chat/completions", {**serving.chat(max_tokens=240), "stream": True})
                busy.getresponse()  # its head: it runs
                for name, dialect in DIALECTS.items():
                    with self.subTest(name):
                        status, headers, content = post(server, dialect.path, dialect.body)
                        self.assertEqual(status, self.STATUS.get(name, 429), content)
                        self.assertGreater(int(headers["retry-after-ms"]), 0)
                        self.assertGreater(int(headers["retry-after"]), 0)
                        answer = json.loads(content)
                        self.assertIn("wait already", json.dumps(answer))
                        kinds = {"anthropic": ("error", "type", "rate_limit_error"), "gemini": ("error", "status", "RESOURCE_EXHAUSTED")}
                        if name in kinds:
                            outer, inner, word = kinds[name]
                            self.assertEqual(answer[outer][inner], word)
                        if name == "bedrock":
                            self.assertEqual(headers["x-amzn-errortype"], "ThrottlingException")

    def test_keys(self):
        keys = self.dir / "keys"
        keys.write_text("first-key\n")
        keys.chmod(0o600)
        with serving.serving(f"tiny={tools.compiled_tiny()[0]}", f"--api-key-file={keys}") as server:
            for name, dialect in DIALECTS.items():
                with self.subTest(name):
                    status, _, content = post(server, dialect.path, dialect.body)
                    self.assertEqual(status, 403 if name == "bedrock" else 401, content)
                    self.assertTrue(dialect.error(json.loads(content), "a key is needed: send Authorization: Bearer KEY"), content)
                    good = self.KEYS[name]
                    self.assertEqual(post(server, dialect.path, dialect.body, **good)[0], 200)
                    bad = {field: value.replace("first", "worst") for field, value in good.items()}
                    self.assertIn(post(server, dialect.path, dialect.body, **bad)[0], (401, 403))
            path = DIALECTS["gemini"].path
            self.assertEqual(post(server, path + "?key=first-key", GEMINI)[0], 200)
            self.assertEqual(post(server, path + "?key=other", GEMINI)[0], 401)

    def test_bodies(self):
        with serving.serving(f"tiny={tools.compiled_tiny()[0]}", "--max-body=1KiB") as server:
            for name, dialect in DIALECTS.items():
                with self.subTest(name):
                    status, _, content = post(server, dialect.path, {**dialect.body, "x": "y" * 2000})
                    self.assertEqual(status, 413)
                    self.assertTrue(dialect.error(json.loads(content), "the body is larger than 1024 bytes"), content)


class Embeddings(Case):
    """Text through the tokenizer.json beside an ONNX file."""

    WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "once", "upon", "a", "time", "##s", "cat", "."]

    def encoder(self, tokenizer):
        try:
            import encoder
        except ImportError as error:
            self.skipTest(f"{error.name} is missing")
        folder = self.dir / "model" / "onnx"
        folder.mkdir(parents=True, exist_ok=True)
        encoder.save(encoder.build(encoder.Encoder(hidden=64, layers=1, ffn=96, head="sentence")), folder / "model.onnx")
        (self.dir / "model" / "tokenizer.json").write_text(json.dumps(tokenizer))
        succeed("lpucc", folder / "model.onnx", "-o", self.dir / "enc.lpx", "--max-context=16")
        return self.dir / "enc.lpx"

    @staticmethod
    def described(model, normalizer, pre_tokenizer, first, last):
        template = [{"SpecialToken": {"id": first[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": last[0], "type_id": 0}}]
        return {"added_tokens": [{"id": number, "content": text, "special": True, "single_word": False, "lstrip": False,
                                  "rstrip": False, "normalized": False} for text, number in (first, last)],
                "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "model": model, "decoder": None,
                "post_processor": {"type": "TemplateProcessing", "single": template, "pair": template,
                                   "special_tokens": {text: {"id": text, "ids": [number], "tokens": [text]} for text, number in (first, last)}}}

    def check(self, program, texts, ids):
        with serving.serving(f"enc={program}") as server:
            _, _, by_ids = server.post("/v1/embeddings", {"input": ids})
            status, _, by_text = server.post("/v1/embeddings", {"input": texts})
            self.assertEqual(status, 200, by_text)
            self.assertEqual(by_text, by_ids)
            vectors = [entry["embedding"] for entry in by_text["data"]]
            self.assertNotEqual(vectors[0], vectors[1])
            _, _, answer = server.post("/api/embed", {"model": "enc", "input": texts})
            self.assertEqual(answer["embeddings"], vectors)
            self.assertEqual(answer["prompt_eval_count"], sum(map(len, ids)))
            self.assertGreater(answer["total_duration"], 0)
            self.assertEqual(server.post("/api/embeddings", {"model": "enc", "prompt": texts[0]})[2], {"embedding": vectors[0]})
            long = "once " * 40
            self.assertEqual(server.post("/api/embed", {"input": long})[2]["prompt_eval_count"], 16)
            self.assertEqual(server.post("/api/embed", {"input": long, "truncate": False})[0], 400)
            self.assertEqual(server.post("/v1/embeddings", {"input": long})[0], 400)
            self.assertEqual(server.post("/api/show", {"model": "enc"})[2]["capabilities"], ["embedding"])
            self.assertEqual(server.post("/api/embed", {"model": "enc", "input": []})[2]["embeddings"], [])
        # What lpu-run makes of the ids is the vector.
        succeed("lpu-run", program, "--input-ids", ",".join(map(str, ids[0])), f"--output={self.dir}")
        files = [np.load(f).ravel().astype(np.float32) for f in self.dir.glob("*.npy")]
        self.assertTrue(any(f.size == len(vectors[0]) and np.array_equal(f, np.array(vectors[0], np.float32)) for f in files))

    def test_word_piece(self):
        model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                 "vocab": {word: i for i, word in enumerate(self.WORDS)}}
        normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
        tokenizer = self.described(model, normalizer, {"type": "BertPreTokenizer"}, ("[CLS]", 2), ("[SEP]", 3))
        self.check(self.encoder(tokenizer), ["Once upon a time.", "Cats"], [[2, 4, 5, 6, 7, 10, 3], [2, 9, 8, 3]])

    def test_unigram(self):
        pieces = [["<s>", 0], ["</s>", 0], ["<unk>", 0], ["\u2581once", -1], ["\u2581upon", -2], ["\u2581", -4], ["a", -5],
                  ["\u2581a", -2], ["\u2581time", -3], ["s", -6]]
        model = {"type": "Unigram", "unk_id": 2, "vocab": pieces}
        space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
        tokenizer = self.described(model, {"type": "Lowercase"}, space, ("<s>", 0), ("</s>", 1))
        self.check(self.encoder(tokenizer), ["Once upon a time", "times"], [[0, 3, 4, 7, 8, 1], [0, 8, 9, 1]])

    def test_broken_files_are_named(self):
        folder = self.dir / "broken"
        folder.mkdir()
        try:
            import encoder
        except ImportError as error:
            self.skipTest(f"{error.name} is missing")
        encoder.save(encoder.build(encoder.Encoder(hidden=64, layers=1, ffn=96)), folder / "model.onnx")
        (folder / "tokenizer.json").write_text("{")
        result = run("lpucc", folder / "model.onnx", "-o", folder / "m.lpx", "--max-context=16")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("tokenizer.json", result.stderr)


if __name__ == "__main__":
    tools.main()
