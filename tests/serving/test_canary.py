"""A canary: another version answers a share of the texts, and every answer tells which one gave it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from components.serving.app import make_app
from components.serving.model_repository import LoadedModel, Release, in_share, load
from components.serving.request_log import RequestLog
from components.serving.service import Service
from tests.serving.asking import ids, texts
from tests.serving.conftest import LIMITS
from tests.serving.test_metrics import samples
from tests.small_ladder import Ladder

INFER = "/v2/models/places/infer"
ASKED = [f"ship wave {number}" for number in range(40)]


@pytest.fixture
def canary(service: Service, ladder: Ladder) -> Iterator[LoadedModel]:
    """Version 8 for half of the texts, beside version 7."""
    loaded = load(Release("places", "8", ladder.bundle, canary=True), LIMITS, service.metrics, threads=1)
    service.repository.canaries["places"] = loaded
    service.repository.share = 0.5
    yield loaded
    loaded.batcher.close()


def version(client: TestClient, text: str, path: str = INFER) -> str:
    answer = client.post(path, json=texts(text))
    assert answer.status_code == 200
    told = str(answer.json()["model_version"])
    assert f"version={told};" in answer.headers["x-lianzi-trace"]
    assert answer.headers["x-lianzi-trace"].endswith(";canary=true") == (told == "8")
    return told


def test_a_share_of_the_texts_goes_to_the_canary_and_the_same_text_always(
    service: Service, canary: LoadedModel, tmp_path: Path
) -> None:
    service.log = RequestLog(tmp_path / "log.jsonl", 1.0, lambda rows, reason: None, lambda line: None)
    with TestClient(make_app(service, lambda line: None)) as client:
        first = [version(client, text) for text in ASKED]
        assert 8 <= first.count("8") <= 32
        assert first == [version(client, text) for text in ASKED]
        for number in "78":
            asked = {version(client, text, f"/v2/models/places/versions/{number}/infer") for text in ASKED[:8]}
            assert asked == {number}
        found = samples(client)
        assert found["lianzi_requests_total", "200", "places", "infer", "8"] == 2 * first.count("8") + 8
        assert found["lianzi_canary_share", "places", "8"] == 0.5
    service.log.close()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["version"] for row in rows[: len(ASKED)]] == first
    # A request that names the canary's version says nothing of its share.
    assert [row["canary"] for row in rows] == [told == "8" for told in first] * 2 + [False] * 16
    assert all(row["milliseconds"] > 0 and row["status"] == 200 for row in rows)


def test_token_ids_are_the_champions(client: TestClient, canary: LoadedModel) -> None:
    answers = [client.post(INFER, json=ids([[1, 5, 2 + number]])).json() for number in range(8)]
    assert {answer["model_version"] for answer in answers} == {"7"}


def test_once_it_has_ended_the_champion_answers_everything(service: Service, canary: LoadedModel) -> None:
    with TestClient(make_app(service, lambda line: None)) as client:
        del service.repository.canaries["places"]
        assert {version(client, text) for text in ASKED[:10]} == {"7"}


def test_another_canary_gets_other_texts() -> None:
    shares = [[in_share(salt, [text], 0.5) for text in ASKED] for salt in ("8", "9")]
    assert shares[0] != shares[1]
    assert not any(in_share("8", [text], 0.0) for text in ASKED)
    assert all(in_share("8", [text], 1.0) for text in ASKED)


def test_what_its_model_failed_is_logged_without_a_text(
    service: Service, canary: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.repository.share = 1.0
    monkeypatch.setattr(canary.batcher, "submit", lambda rows: 1 / 0)
    service.log = RequestLog(tmp_path / "log.jsonl", 1.0, lambda rows, reason: None, lambda line: None)
    with TestClient(make_app(service, lambda line: None), raise_server_exceptions=False) as client:
        assert client.post(INFER, json=texts("ship")).status_code == 500
    service.log.close()
    row = json.loads((tmp_path / "log.jsonl").read_text())
    assert (row["version"], row["canary"], row["status"], row["text"], row["answer"]) == ("8", True, 500, "", "")
