#!/usr/bin/python3
"""The service on this host: what measures wall time, and so is no test.

  tests/bench/serve.py [--bin DIR]

`/health` with 300 idle and 100 streaming connections and slow readers; memory over many requests; requests a second; and
how far tokens of --pace=dilate:1000 leave from 1000 times their virtual time, as a client sees them.
"""
import argparse
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import socket
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from serving import serving

CHAT = "/v1/chat/completions"


def chat(tokens, **fields):
    return {"messages": [{"role": "user", "content": "Once upon a time"}], "max_tokens": tokens, "temperature": 0, **fields}


def memory_kb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def health_under_load(program):
    with serving(program, "--queue=200") as server, contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection((server.host, server.port)))
        streams = []
        for _ in range(100):  # nobody reads them
            connection = stack.enter_context(contextlib.closing(http.client.HTTPConnection(server.host, server.port)))
            server.send(connection, "POST", CHAT, chat(60, stream=True))
            streams.append(connection)
        times = []
        for _ in range(200):
            begin = time.perf_counter()
            assert server.get("/health")[0] == 200
            times.append((time.perf_counter() - begin) * 1e3)
        for connection in streams:
            connection.getresponse().read()
    print(f"/health with 300 idle and 100 streaming connections: median {statistics.median(times):.2f} ms, "
          f"largest {max(times):.2f} ms")


def memory(program, count):
    with serving(program, "--queue=64") as server:
        def some(number):
            with contextlib.closing(http.client.HTTPConnection(server.host, server.port)) as connection:
                for _ in range(number):
                    server.exchange(connection, "POST", CHAT, chat(1))
        some(min(1000, count))
        sizes, begin, done = [memory_kb(server.process)], time.perf_counter(), 0
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in range(5):
                list(pool.map(some, [count // 20] * 4))
                done += count // 20 * 4
                sizes.append(memory_kb(server.process))
        rate = done / (time.perf_counter() - begin)
    print(f"memory after 1,000 requests and then every {count // 5:,}: {', '.join(f'{s / 1024:.1f}' for s in sizes)} MiB; "
          f"{rate:.0f} requests a second")


def dilation(program, factor):
    with serving(program, f"--pace=dilate:{factor}") as server:
        errors = []
        for _ in range(5):
            connection = http.client.HTTPConnection(server.host, server.port)
            begin = time.perf_counter()
            server.send(connection, "POST", CHAT, chat(40, stream=True), x_lpu_timestamps="1")
            response = connection.getresponse()
            for line in response:
                if not line.startswith(b"data: {"):
                    continue
                seen, event = time.perf_counter(), json.loads(line[6:])
                if "lpu" in event and "t_ns" in event["lpu"]:
                    errors.append((seen - begin) * 1e3 - event["lpu"]["t_ns"] * factor / 1e6)
            connection.close()
    print(f"dilate:{factor}: tokens of 5 streams came {min(errors):.2f} to {max(errors):.2f} ms after their time "
          f"(median {statistics.median(errors):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=tools.bin_dir)
    parser.add_argument("--requests", type=int, default=10000, help="of the test of memory")
    options = parser.parse_args()
    tools.bin_dir = options.bin.resolve()
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "tiny.lpx"
        tools.succeed("lpucc", tools.TINY, "-o", program)
        health_under_load(program)
        dilation(program, 1000)
        memory(program, options.requests)


if __name__ == "__main__":
    main()
