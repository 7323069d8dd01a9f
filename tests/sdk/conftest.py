"""A gateway and its simulated providers for the SDK tests, started once a session from what `make` built.

Both are started by `dragoman launch`, which ties a process to the one that started it: however pytest ends, they end. The
ports are held by sockets of ours that never listen, so that nobody else can take them before Envoy binds them too.
"""

import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import time
from contextlib import contextmanager
from types import SimpleNamespace

import openai
import pytest
from dialects import DIALECTS

DIST = pathlib.Path(os.environ.get("DRAGOMAN_DIST", pathlib.Path(__file__).parents[2] / "dist"))
READY_SECONDS = 60

KEYS = {
    "full": {"key": "sk-test-full"},
    "narrow": {"key": "sk-test-narrow", "models": ["gpt-4o-mini"]},
    "expired": {"key": "sk-test-expired", "expires": "2020-01-01T00:00:00Z"},
}


def launch(log, *arguments, **options):
    tool = str(DIST / "dragoman")
    command = [tool, "launch", str(os.getpid()), tool, *map(str, arguments)]
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, **options)


def wait_for(process, log, pattern):
    """The match in what a process has written to its log: a file, because a pipe that nobody reads stops who writes."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text(encoding="utf-8"), re.MULTILINE):
            return found
        if process.poll() is not None:
            pytest.fail(f"{process.args[3:]} ended with {process.wait()}")
        time.sleep(0.02)
    pytest.fail(f"{process.args[3:]} is not ready after {READY_SECONDS} s")


def hold_port():
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held, "127.0.0.1:%d" % held.getsockname()[1]


@contextmanager
def serve(folder, keys, **more):
    """A gateway of these keys, by name, whose file has more members, and its providers, until it is left.

    `url`, as the OpenAI SDK wants it, `origin`, for the paths of each provider, and `keys`, by name."""
    seen = folder / "provider.log"
    provider = launch(seen, "simulate", "--listen", "127.0.0.1:0", "--require-key", "sk-upstream", "--pause", "2ms")
    upstream = wait_for(provider, seen, r"on (http://\S+)$")[1]

    (ingress, address), (admin, admin_address) = hold_port(), hold_port()
    listed = [
        {"id": name, "sha256": hashlib.sha256(key["key"].encode()).hexdigest()} | {k: v for k, v in key.items() if k != "key"}
        for name, key in keys.items()
    ]
    # One simulator plays them all: it knows by the path what is spoken.
    kinds = [dialect.provider for dialect in DIALECTS]
    config = {
        "listen": {"address": address, "admin": admin_address},
        "providers": {
            kind: {"kind": kind, "base_url": upstream, "credential": {"value": "sk-upstream"}}
            # Of whom else it is not known.
            | ({"responses": "stateful"} if kind == "openai" else {})
            for kind in kinds
        },
        "aliases": {"house": "openai/gpt-4o-mini"},
        "keys": listed,
    } | more
    file = folder / "dragoman.json"
    file.write_text(json.dumps(config))
    log = folder / "gateway.log"
    up = launch(log, "up", "--config", file, env=os.environ | {"TMPDIR": str(folder)})
    wait_for(up, log, r"^ready .*$")

    origin = f"http://{address}"
    yield SimpleNamespace(origin=origin, url=f"{origin}/v1", keys={name: key["key"] for name, key in keys.items()})

    for process in (up, provider):
        process.terminate()
        process.wait(30)
    ingress.close()
    admin.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    """What most tests share: nothing is limited there."""
    with serve(tmp_path_factory.mktemp("gateway"), KEYS) as served:
        yield served


def options(gateway, key="full"):
    # No retries: a test of an error wants the first answer.
    return {"base_url": gateway.url, "api_key": gateway.keys.get(key, key), "max_retries": 0, "timeout": 30}


@pytest.fixture
def client(gateway):
    with openai.OpenAI(**options(gateway)) as client:
        yield client


@pytest.fixture
def client_with(gateway):
    """A client with another key, by name or as it is."""
    return lambda key: openai.OpenAI(**options(gateway, key))


@pytest.fixture
def async_client(gateway):
    """To be opened inside the event loop that uses it."""
    return lambda: openai.AsyncOpenAI(**options(gateway))


@pytest.fixture(params=DIALECTS, ids=str)
def dialect(request):
    """Each of them in turn."""
    return request.param
