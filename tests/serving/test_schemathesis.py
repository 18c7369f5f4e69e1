"""Schemathesis against a server process: what /openapi.json says, tried by requests made from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from benchmarks.peers.environment import KEPT, peer_python
from tests.service_logs import assert_healthy
from tests.serving.conftest import Generators
from tests.serving.running import running
from tests.small_ladder import Ladder

SETTINGS = Path(__file__).parent / "schemathesis.toml"
KEY = "a-key-of-some-length"
KNOWN = f"""
[auth.openapi.bearer]
bearer = "{KEY}"
[auth.openapi.header]
api_key = "{KEY}"
"""
ROUTES = 16
EXAMPLES = 10
"""Of each operation in each phase; coverage makes a thousand requests beside them."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (KEPT / "schemathesis" / ".pins").is_file(),
        reason="no environment with it: `make peers` makes it",
    ),
]


@pytest.mark.parametrize("locked", [False, True])
def test_it_finds_nothing(locked: bool, generators: Generators, ladder: Ladder, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n")
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS.read_text() + (KNOWN if locked else ""))
    words = ["--api-key-file", "keys"] if locked else []
    command = [peer_python("schemathesis").parent / "st", "--config-file", settings, "run"]
    options = ["--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"]
    with running(tmp_path, ladder.bundle, generators.letters, generators.meanings, *words) as server:
        if locked:
            # It reads the document without a key.
            document = httpx.get(f"{server.address}/openapi.json", headers={"x-api-key": KEY})
            (tmp_path / "openapi.json").write_bytes(document.content)
        where = [tmp_path / "openapi.json", "--url", server.address] if locked else [f"{server.address}/openapi.json"]
        done = subprocess.run([*command, *where, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    # Of a document read by its address it leaves out the address itself.
    assert f"Tested: {ROUTES if locked else ROUTES - 1}" in done.stdout
    assert_healthy(tmp_path / "serve.log")
