"""Triton's own client against a server process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import BertForTokenClassification

from benchmarks.peers.environment import KEPT, PEERS, call_script, peer_python
from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.runtime.bundle import load_bundle
from tests.deployment.test_folder_bundle import small_classifier
from tests.serving.running import Running, running
from tests.small_ladder import Ladder
from tests.small_language_bundles import LIMITS

TEXTS = ("ship wave whale tide", "門 市 tower street")
TAGS = ["B-LOC", "I-LOC", "O"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (KEPT / "serving" / ".pins").is_file(),
        reason="no environment with Triton's client: `make peers` makes it",
    ),
]


def bundle_of(model: Path) -> Path:
    """A model's bundle, beside it."""
    bundle = model.with_name("bundle")
    options = BundleOptions(("fp32",), measure=False)
    make_bundle(model, bundle, list(TEXTS), options, LIMITS, model.name, lambda line: None)
    return bundle


@pytest.fixture(scope="module")
def stars(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that answers with a number."""
    return bundle_of(small_classifier(tmp_path_factory.mktemp("numbers") / "stars", tokenizer_folder, ["LABEL_0"]))


@pytest.fixture(scope="module")
def names(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that answers with entities."""
    folder = tmp_path_factory.mktemp("entities") / "names"
    return bundle_of(small_classifier(folder, tokenizer_folder, TAGS, BertForTokenClassification))


@pytest.fixture(scope="module")
def server(ladder: Ladder, stars: Path, names: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), ladder.bundle, stars, names) as started:
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


def test_tritons_client_gets_entities(server: Running, names: Path) -> None:
    found = found_by_client(server, "names", "entities")
    spans = [
        [(one["start"], one["end"], one["label"]) for one in json.loads(row)] for row in found["binary"]["entities"]
    ]
    expected = [answer.json()["entities"] for answer in load_bundle(names).predict(list(TEXTS))]
    assert any(spans)
    assert spans == [[(one["start"], one["end"], one["label"]) for one in row] for row in expected]
    assert found["everything"] == ["entities", "logits"]
    assert found["ids"] == [2, 4, 3]
