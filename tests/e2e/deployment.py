#!/usr/bin/python3
"""lpu-serve as a service: sockets that a service manager has opened, its notifications, TLS, options from a file."""
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import ROOT, Case, run

BODY = {"messages": [{"role": "user", "content": "Once upon a time"}], "max_tokens": 8, "temperature": 0}


def ask(url, context=None, key=None):
    """The text, and the pieces of a stream."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    def post(body):
        request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), headers)
        return urllib.request.urlopen(request, timeout=tools.TIMEOUT, context=context).read().decode()
    text = json.loads(post(BODY))["choices"][0]["message"]["content"]
    events = [json.loads(line.removeprefix("data: ")) for line in post({**BODY, "stream": True}).split("\n\n") if line.startswith("data: {")]
    return text, "".join(c["delta"].get("content", "") for e in events for c in e["choices"])


class Deployment(Case):
    def start(self, *arguments, **options):
        """The process and the line it prints when it serves."""
        process = subprocess.Popen([str(tools.bin_dir / "lpu-serve"), *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, **options)
        self.addCleanup(self.end, process)
        line = process.stdout.readline()
        if not line:
            self.fail(process.stderr.read())
        return process, line.split()[-1]

    def end(self, process):
        process.terminate()
        _, errors = process.communicate(timeout=tools.TIMEOUT)
        self.assertEqual(process.returncode, 0, errors)

    def activated(self, listener, *arguments, count="1", **environment):
        """As a service manager starts it: the socket is descriptor 3, and LISTEN_PID the process's own."""
        descriptor = listener.fileno()
        script = ('import os, sys\nos.dup2(%d, 3)\nos.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="%s")\n'
                  'os.execv(sys.argv[1], sys.argv[1:])' % (descriptor, count))
        command = [sys.executable, "-c", script, str(tools.bin_dir / "lpu-serve"), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                                pass_fds=(descriptor,), env={**os.environ, **environment})

    def listener(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener

    def test_a_socket_that_is_handed_over(self):
        listener = self.listener()
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(str(self.dir / "notify"))
        told.settimeout(tools.TIMEOUT)
        process = self.activated(listener, tools.compiled_tiny()[0], "--port=1", NOTIFY_SOCKET=str(self.dir / "notify"))
        self.addCleanup(process.communicate)
        self.assertEqual(told.recv(100), b"READY=1")
        url = process.stdout.readline().split()[-1]
        self.assertEqual(url, f"http://127.0.0.1:{listener.getsockname()[1]}")
        text, streamed = ask(url)
        self.assertEqual(text, streamed)
        process.terminate()
        self.assertEqual(told.recv(100), b"STOPPING=1")
        self.assertEqual(process.wait(tools.TIMEOUT), 0)

    def test_sockets_that_cannot_be_served(self):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.bind(("127.0.0.1", 0))
        for listener, count, word in ((datagrams, "1", "ListenStream"), (self.listener(), "2", "2 sockets")):
            process = self.activated(listener, tools.compiled_tiny()[0], count=count)
            _, errors = process.communicate(timeout=tools.TIMEOUT)
            self.assertEqual(process.returncode, 1)
            self.assertIn(word, errors)

    def test_a_socket_of_another_process_is_left_alone(self):
        environment = {**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "1"}
        _, url = self.start(tools.compiled_tiny()[0], "--port=0", env=environment)
        self.assertTrue(ask(url)[0])

    def certificate(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is missing")
        cert, key = self.dir / "cert.pem", self.dir / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        key.chmod(0o600)
        return cert, key

    def test_tls(self):
        cert, key = self.certificate()
        _, plain = self.start(tools.compiled_tiny()[0], "--port=0")
        process, url = self.start(tools.compiled_tiny()[0], "--port=0", f"--tls-cert={cert}", f"--tls-key={key}")
        self.assertTrue(url.startswith("https://"), url)
        context = ssl.create_default_context(cafile=cert)
        self.assertEqual(ask(url, context), ask(plain))
        port = int(url.rsplit(":", 1)[1])
        # Who speaks no TLS, or one of old, or leaves, gets nothing and harms nobody.
        with socket.create_connection(("127.0.0.1", port), timeout=tools.TIMEOUT) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b"ok", connection.recv(1000))
        old = ssl.create_default_context(cafile=cert)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port), timeout=tools.TIMEOUT) as connection:
            with self.assertRaises((ssl.SSLError, OSError)):
                old.wrap_socket(connection, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port), timeout=tools.TIMEOUT) as connection:
            with context.wrap_socket(connection, server_hostname="127.0.0.1") as inside:
                inside.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Len")
        self.assertEqual(urllib.request.urlopen(url + "/health", context=context).status, 200)

    def test_mistakes_with_tls(self):
        cert, key = self.certificate()
        program = tools.compiled_tiny()[0]
        result = run("lpu-serve", program, f"--tls-cert={cert}")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--tls-key", result.stderr)
        for certificates, private, word in ((key, key, "certificates"), (cert, cert, "chmod 600"), (self.dir / "none", key, "none")):
            result = run("lpu-serve", program, "--port=0", f"--tls-cert={certificates}", f"--tls-key={private}")
            self.assertEqual(result.returncode, 1)
            self.assertIn(word, result.stderr)
        key.chmod(0o644)
        self.assertIn("chmod 600", run("lpu-serve", program, "--port=0", f"--tls-cert={cert}", f"--tls-key={key}").stderr)

    def test_the_example_of_a_configuration(self):
        example = (ROOT / "serve/deploy/serve.toml").read_text()
        config = self.dir / "serve.toml"
        config.write_text(example.replace("/usr/share/lpu/models/tiny/model.gguf", str(tools.compiled_tiny()[0])) + "port=0\n")
        _, url = self.start(f"--config={config}")
        models = json.loads(urllib.request.urlopen(url + "/v1/models").read())
        self.assertEqual([m["id"] for m in models["data"]], ["tiny"])

    def test_units_are_what_systemd_takes(self):
        verify = shutil.which("systemd-analyze")
        if not verify:
            self.skipTest("systemd-analyze is missing")
        for name in ("lpu-serve.service", "lpu-serve.socket"):
            text = (ROOT / "serve/deploy" / name).read_text().replace("/usr/bin/lpu-serve", "/bin/true")
            (self.dir / name).write_text(text)
        result = subprocess.run([verify, "verify", *(self.dir / n for n in ("lpu-serve.service", "lpu-serve.socket"))],
                                capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    tools.main()
