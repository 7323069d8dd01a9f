"""The Node SDKs against the same gateway, with Node's own test runner; skipped where Node is missing."""

import json
import os
import pathlib
import subprocess
from dataclasses import asdict

import pytest

#: Where scripts/test-sdk put the tests and what they import.
FOLDER = os.environ.get("DRAGOMAN_NODE_TESTS")


@pytest.mark.skipif(not FOLDER, reason="no node or npm: the Node SDKs are not tested")
@pytest.mark.parametrize("sdk", ["chat", "messages", "vercel"])
def test_the_node_sdks_are_served_alike(gateway, dialect, sdk):
    environment = {
        "DRAGOMAN_URL": gateway.url,
        "DRAGOMAN_ORIGIN": gateway.origin,
        "DRAGOMAN_KEY": gateway.keys["full"],
        "DRAGOMAN_DIALECT": json.dumps(asdict(dialect)),
    }
    run = subprocess.run(
        ["node", "--test", "--test-reporter=spec", f"{sdk}.test.mjs"],
        cwd=pathlib.Path(FOLDER),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    # A runner that found nothing to run is content, too.
    assert "\nℹ pass 0" not in run.stdout and "ℹ pass" in run.stdout
