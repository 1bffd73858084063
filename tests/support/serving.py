"""Starts lpu-serve for the end-to-end scripts and speaks HTTP with it, as a client or byte by byte."""
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess

import tools

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


def chat(text="Once upon a time", **fields):
    """A request for a chat of one message."""
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 12, "temperature": 0, **fields}


class Server:
    """A running lpu-serve; the port is its own choice."""

    def __init__(self, *arguments, environment=None):
        command = [str(tools.bin_dir / "lpu-serve"), *map(str, arguments), "--port=0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if not line.startswith("serving at http://"):
            self.process.kill()
            raise AssertionError(f"lpu-serve did not start: {line}{self.process.stderr.read()[-2000:]}")
        self.url = line.split()[-1]
        self.host, port = self.url.removeprefix("http://").rsplit(":", 1)
        self.port = int(port)

    def stop(self, number=signal.SIGTERM):
        """The exit code, and what stood on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=tools.TIMEOUT)
        return self.process.returncode, errors

    def call(self, method, path, body=None, **fields):
        """(status, header fields, body) of one request; a dict is sent and read as JSON."""
        with contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=tools.TIMEOUT)) as connection:
            return self.exchange(connection, method, path, body, **fields)

    @staticmethod
    def send(connection, method, path, body=None, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if isinstance(body, dict):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)

    @staticmethod
    def exchange(connection, method, path, body=None, **fields):
        Server.send(connection, method, path, body, **fields)
        response = connection.getresponse()
        content = response.read().decode()
        is_json = (response.headers["Content-Type"] or "").startswith("application/json")
        return response.status, response.headers, json.loads(content) if is_json and content else content

    def post(self, path, body, **fields):
        return self.call("POST", path, body, **fields)

    def get(self, path, **fields):
        return self.call("GET", path, **fields)

    def events(self, path, body, **fields):
        """(header fields, events) of a stream, each event as JSON; [DONE] as a string."""
        status, headers, text = self.call("POST", path, body, **fields)
        if status != 200:
            raise AssertionError(f"status {status}: {text}")
        return headers, parse_events(text)

    def raw(self, *pieces, end=False):
        """All bytes that come back when these are sent; `end`: the sending half is closed then."""
        with socket.create_connection((self.host, self.port), timeout=tools.TIMEOUT) as connection:
            for piece in pieces:
                connection.sendall(piece if isinstance(piece, bytes) else piece.encode())
            if end:
                connection.shutdown(socket.SHUT_WR)
            out = b""
            while data := connection.recv(65536):
                out += data
            return out.decode(errors="replace")


def parse_events(text):
    """Server-sent events: every one is a `data: ` line and an empty one, nothing else."""
    blocks = text.split("\n\n")
    if blocks.pop() != "":
        raise AssertionError("the stream does not end in an empty line")
    out = []
    for block in blocks:
        if block == ":":
            continue
        if not block.startswith("data: ") or "\n" in block:
            raise AssertionError(f"not one event: {block!r}")
        data = block.removeprefix("data: ")
        out.append(data if data == "[DONE]" else json.loads(data))
    return out


@contextlib.contextmanager
def serving(*arguments, **options):
    """A server for the time of a with-block; it must end well."""
    server = Server(*arguments, **options)
    try:
        yield server
    except BaseException:
        server.process.kill()
        server.process.communicate()
        raise
    code, errors = server.stop()
    if code != 0:
        raise AssertionError(f"lpu-serve ended with {code}: {errors[-2000:]}")
