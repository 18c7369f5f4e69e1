"""Triton's own client against a server process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.environment import KEPT, PEERS, call_script, peer_python
from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.runtime.bundle import load_bundle
from tests.deployment.test_folder_bundle import small_classifier
from tests.serving.running import Running, running
from tests.small_ladder import Ladder
from tests.small_language_bundles import LIMITS

TEXTS = ("ship wave whale tide", "門 市 tower street")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (KEPT / "serving" / ".pins").is_file(),
        reason="no environment with Triton's client: `make peers` makes it",
    ),
]


@pytest.fixture(scope="module")
def stars(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that answers with a number."""
    folder = tmp_path_factory.mktemp("stars")
    model, options = (
        small_classifier(folder / "stars", tokenizer_folder, ["LABEL_0"]),
        BundleOptions(("fp32",), measure=False),
    )
    make_bundle(model, folder / "bundle", list(TEXTS), options, LIMITS, "stars", lambda line: None)
    return folder / "bundle"


@pytest.fixture(scope="module")
def server(ladder: Ladder, stars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), ladder.bundle, stars) as started:
        yield started


def found_by_client(server: Running, model: str, outputs: str) -> dict[str, Any]:
    script = PEERS / "serving_client.py"
    found = call_script(peer_python("serving"), script, f"127.0.0.1:{server.port}", model, outputs, *TEXTS)
    assert found["live"]
    assert found["ready"]
    assert found["extensions"] == ["binary_tensor_data"]
    assert found["binary"] == found["json"]
    assert found["refused"].startswith("400 no input 'words'")
    return found


def test_tritons_client_gets_labels(server: Running) -> None:
    found = found_by_client(server, "places", "label,scores")
    assert found["binary"]["label"] == ["sea", "city"]
    assert found["everything"] == ["label", "logits", "scores"]
    assert found["ids"] == [2, 3]


def test_tritons_client_gets_numbers(server: Running, stars: Path) -> None:
    found = found_by_client(server, "stars", "number")
    expected = [one.json()["number"] for one in load_bundle(stars).predict(list(TEXTS))]
    assert found["binary"]["number"] == pytest.approx(expected, abs=1e-3)
    assert found["everything"] == ["logits", "number"]
    assert found["ids"] == [2, 1]
