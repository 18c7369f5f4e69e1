"""Triton's own client against a server process."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.environment import KEPT, PEERS, call_script, peer_python
from tests.serving.running import running
from tests.small_ladder import Ladder

TEXTS = ("ship wave whale tide", "門 市 tower street")


@pytest.mark.slow
@pytest.mark.skipif(
    not (KEPT / "serving" / ".pins").is_file(),
    reason="no environment with Triton's client: `make peers` makes it",
)
def test_tritons_client_gets_what_it_asks_for(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle) as server:
        script = PEERS / "serving_client.py"
        found = call_script(peer_python("serving"), script, f"127.0.0.1:{server.port}", "places", *TEXTS)
    assert found["live"]
    assert found["ready"]
    assert found["extensions"] == ["binary_tensor_data"]
    assert found["binary"] == found["json"]
    assert found["binary"]["label"] == ["sea", "city"]
    assert found["everything"] == ["label", "logits", "scores"]
    assert found["ids"] == [2, 3]
    assert found["refused"].startswith("400 no input 'words'")
