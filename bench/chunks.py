#!/usr/bin/env python3
"""What a streamed chunk costs: Envoy's CPU per chunk, bare, passed through, and translated.

CPU time and not latency, because the machine's other load does not count towards it. The upstream is the simulated provider,
which sends a word a millisecond, so that each chunk is a callback of its own; a stream's head, request and answer, is part of
the figure, spread over its chunks. All rows are measured in one run, interleaved in
rounds, and the median of the rounds is printed, with the spread. Standard library only; needs `make wasm cli envoy`.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

WORDS = 100
TICKS = os.sysconf("SC_CLK_TCK")
ROWS = {
    "bare Envoy": "bare",
    "OpenAI, passed through": "openai/gpt-4o",
    "Anthropic, translated": "anthropic/claude-sonnet-4-5",
    "Gemini, translated": "gemini/gemini-2.5-flash",
    "Ollama, translated": "ollama/llama3.2",
}
BARE = """
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bare
          route_config: {{ virtual_hosts: [{{ name: a, domains: ["*"], routes: [{{ match: {{ prefix: / }}, route: {{ cluster: up, timeout: 0s }} }}] }}] }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: up
    load_assignment: {{ cluster_name: up, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream} }} }} }} }}] }}] }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as found:
        return [int(child) for child in found.read().split()]


def envoy_of(pid):
    """The Envoy below `dragoman up`, or the process itself."""
    for child in children(pid):
        return envoy_of(child)
    return pid


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def stream(port, model, words):
    """Reads one stream to its end and returns how many events it had."""
    text = " ".join(f"w{number}" for number in range(words))
    name = "gpt-4o" if model == "bare" else model
    body = json.dumps({"model": name, "stream": True, "max_completion_tokens": 100000,
                       "messages": [{"role": "user", "content": text}]}).encode()
    with socket.create_connection(("127.0.0.1", port)) as peer:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        peer.sendall(head.encode() + body)
        events, tail = 0, b""
        while piece := peer.recv(65536):
            events += (tail + piece).count(b"data: ") - tail.count(b"data: ")
            tail = piece[-5:]
    return events


def measure(port, pid, model, streams, repeats):
    counts = []
    # The simulated provider repeats about a hundred words, so a measurement is several streams in a row.
    def read():
        counts.extend(stream(port, model, WORDS) for _ in range(repeats))

    threads = [threading.Thread(target=read) for _ in range(streams)]
    before = cpu_seconds(pid)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) != streams * repeats or min(counts) < WORDS:
        sys.exit(f"{model}: a stream was cut short: {sorted(counts)[:3]} events")
    return (cpu_seconds(pid) - before) / sum(counts) * 1e6


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--streams", type=int, default=10)
    options.add_argument("--repeats", type=int, default=10)
    options.add_argument("--rounds", type=int, default=5)
    options = options.parse_args()
    upstream, bare, gateway, admin = (free_port() for _ in range(4))
    local = f"http://127.0.0.1:{upstream}"
    providers = {
        "openai": {"kind": "openai", "base_url": f"{local}/v1", "auth": "none"},
        "anthropic": {"kind": "anthropic", "base_url": local, "credential": {"value": "k"}},
        "gemini": {"kind": "gemini", "base_url": local, "credential": {"value": "k"}},
        "ollama": {"kind": "ollama", "base_url": local},
    }
    config = {"listen": {"address": f"127.0.0.1:{gateway}", "admin": f"127.0.0.1:{admin}", "concurrency": 1}, "providers": providers}
    with tempfile.TemporaryDirectory() as folder:
        paths = {"bare.yaml": BARE.format(port=bare, upstream=upstream), "gateway.json": json.dumps(config)}
        for name, text in paths.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [
            subprocess.Popen(["dist/dragoman", "simulate", "--listen", f"127.0.0.1:{upstream}", "--pause", "1ms"], **quiet),
            subprocess.Popen(["dist/envoy", "--disable-hot-restart", "--concurrency", "1", "-c", f"{folder}/bare.yaml"], **quiet),
            subprocess.Popen(["dist/dragoman", "up", "--config", f"{folder}/gateway.json"], **quiet),
        ]
        try:
            for port in (upstream, bare, gateway):
                wait_for(port)
            time.sleep(1)
            pids = {"bare": (bare, envoy_of(started[1].pid))}
            found = {row: [] for row in ROWS}
            for round_number in range(options.rounds + 1):
                for row, model in ROWS.items():
                    port, pid = pids.get(model, (gateway, envoy_of(started[2].pid)))
                    cost = measure(port, pid, model, options.streams, options.repeats)
                    if round_number:
                        found[row].append(cost)
            floor = statistics.median(found["bare Envoy"])
            print(f"{'':26} µs/chunk   spread      over bare")
            for row, costs in found.items():
                middle = statistics.median(costs)
                print(f"{row:26} {middle:8.1f}   {min(costs):.1f}–{max(costs):.1f}   {middle - floor:+8.1f}")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


if __name__ == "__main__":
    main()
