"""A tagger's bundle answers with entities: in Python, on the command line and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cli.predict import answers
from components.params import Params
from components.runtime.answers import Entities
from components.runtime.bundle import load_bundle
from components.serving.app import make_app
from components.serving.limits import Limits
from tests.small_kinds import ROW_OF, small_rows
from tests.small_ladder import small_ladder

LIMITS = Limits(max_queue=64, max_rows=16, max_body=20_000, max_text=500, timeout=20)
TEXTS = ["ship wave harbour of the street", "lamp", "the ship " * 30]


@pytest.fixture(scope="module")
def bundle(params: Params, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("tagger")
    rows = small_rows(root / "rows", "token_classification", ROW_OF["token_classification"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANZI_CACHE", str(root / "cache"))
        yield small_ladder(root / "ladder", params, rows, tokenizer_folder).bundle


@pytest.fixture
def client(bundle: Path, make_service: Any) -> Iterator[TestClient]:
    with TestClient(make_app(make_service(bundle, LIMITS), lambda line: None)) as opened:
        yield opened


def asked(client: TestClient, *inputs: dict[str, Any], **more: Any) -> Any:
    answer = client.post("/v2/models/places/infer", json={"inputs": list(inputs), **more})
    return answer.json() if answer.status_code != 200 else {one["name"]: one for one in answer.json()["outputs"]}


def texts(*given: str) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [len(given)], "data": list(given)}


def test_entities_are_the_same_in_python_and_over_http(bundle: Path, client: TestClient) -> None:
    found = load_bundle(bundle).predict(TEXTS)
    assert all(isinstance(one, Entities) for one in found)
    served = asked(client, texts(*TEXTS))
    assert list(served) == ["entities", "logits"]
    assert (served["entities"]["datatype"], served["entities"]["shape"]) == ("BYTES", [3])
    told = [json.loads(row) for row in served["entities"]["data"]]
    expected = [one.json()["entities"] for one in found]
    assert [[(one["start"], one["end"], one["label"]) for one in row] for row in told] == [
        [(one["start"], one["end"], one["label"]) for one in row] for row in expected
    ]
    assert all(
        text[one["start"] : one["end"]] == one["text"] for text, row in zip(TEXTS, told, strict=True) for one in row
    )
    assert next(one["text"] for one in told[0] if one["label"] == "SEA").startswith("ship")


def test_token_ids_have_logits_and_no_entities(client: TestClient) -> None:
    ids = {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "data": [[1, 5, 2]]}
    mask = {"name": "attention_mask", "datatype": "INT64", "shape": [1, 3], "data": [[1, 1, 1]]}
    served = asked(client, ids, mask)
    assert list(served) == ["logits"]
    assert served["logits"]["shape"][:2] == [1, 3]
    refused = asked(client, ids, mask, outputs=[{"name": "entities"}])
    assert "needs the text" in refused["error"]


def test_the_command_line_shows_entities_and_writes_them_as_json(bundle: Path) -> None:
    tagger = load_bundle(bundle)
    [line] = answers(tagger, TEXTS[:1], as_json=False, with_text=False)
    assert "SEA ship" in line
    whole, blank = (json.loads(row) for row in answers(tagger, [TEXTS[0], " "], as_json=True, with_text=False))
    assert whole["entities"][0]["label"] == "SEA"
    assert blank == {"text": " ", "entities": []}
