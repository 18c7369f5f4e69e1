from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from components.artifacts import digest
from components.errors import ParameterError
from components.serving.app import make_app
from components.serving.middleware import allowed, read_keys
from components.serving.service import Service
from tests.serving.asking import texts
from tests.small_ladder import Ladder

INFER = "/v2/models/places/infer"
KEY = "a-key-of-some-length"
FIRST = b"0123456789abcdef"


@pytest.fixture
def locked(service: Service, said: list[str]) -> Iterator[TestClient]:
    """A client of a server that wants a key."""
    with TestClient(make_app(service, said.append, (b"another-key-of-some-length", KEY.encode()))) as opened:
        yield opened


def test_a_request_id_is_taken_over_or_made(client: TestClient) -> None:
    assert client.get("/v2", headers={"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"
    made = {client.get("/v2").headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2
    odd = client.get("/v2", headers={"x-request-id": "two words"}).headers["x-request-id"]
    assert odd != "two words"


def test_every_answer_names_the_model_that_gave_it(client: TestClient, ladder: Ladder) -> None:
    trace = client.post(INFER, json=texts("ship")).headers["x-lianzi-trace"]
    assert trace.startswith("server=lianzi/")
    assert trace.endswith(f";model=places;version=7;bundle={digest(ladder.bundle)}")
    assert client.post(INFER, json={}).headers["x-lianzi-trace"] == trace
    assert "model=" not in client.get("/v2/models/moods").headers["x-lianzi-trace"]


def test_the_log_holds_no_text_and_no_unknown_path(client: TestClient, said: list[str]) -> None:
    client.post(INFER, json=texts("secret ship"), headers={"x-request-id": "mine"})
    client.post(INFER, json={"inputs": "secret"})
    client.get("/secret?secret=1")
    assert "secret" not in "".join(said)
    assert said[0].startswith("200 POST infer places rows=1 ")
    assert said[0].endswith("ms mine")
    assert said[1].startswith("400 POST infer places")
    assert said[2].startswith("404 GET other -")


@pytest.mark.parametrize(
    "headers", [{"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}, {"x-api-key": KEY}]
)
def test_a_key_opens(headers: dict[str, str], locked: TestClient, said: list[str]) -> None:
    assert locked.post(INFER, json=texts("ship"), headers=headers).status_code == 200
    assert KEY not in "".join(said)


@pytest.mark.parametrize("headers", [{}, {"x-api-key": KEY[:-1]}, {"authorization": f"Basic {KEY}"}, {"x-api-key": ""}])
def test_without_a_key_only_probes_are_answered(headers: dict[str, str], locked: TestClient) -> None:
    for path in ("/v2", "/metrics", "/v2/models/places", "/nowhere"):
        refused = locked.get(path, headers=headers)
        assert refused.status_code == 401
        assert refused.json()["error"]
        assert refused.headers["x-request-id"]
    assert locked.post(INFER, json=texts("ship"), headers=headers).status_code == 401
    assert locked.get("/v2/health/live", headers=headers).status_code == 200
    assert locked.get("/v2/health/ready", headers=headers).status_code == 200


def test_nothing_stays_under_way(client: TestClient, service: Service) -> None:
    for content in (texts("ship"), {}, texts("ship" * 500)):
        client.post(INFER, json=content)
    assert service.admission.under_way == 0
    assert service.repository.models["places"].users == 0


def test_each_line_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(FIRST + b"\n\n  fedcba9876543210\r\n")
    assert read_keys(path) == (FIRST, b"fedcba9876543210")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"short\n", FIRST + b"\nshort\n"])
def test_a_file_without_good_keys_is_refused_and_its_content_not_shown(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match="openssl rand") as refused:
        read_keys(path)
    assert "short" not in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        read_keys(tmp_path / "keys")


def test_any_of_the_keys_opens_and_no_other_does() -> None:
    keys = (FIRST, b"fedcba9876543210")
    assert allowed(keys, {b"x-api-key": keys[1]})
    assert allowed(keys, {b"authorization": b"Bearer " + FIRST})
    assert not allowed(keys, {b"authorization": FIRST})
    assert not allowed(keys, {b"x-api-key": "clé".encode()})
    assert not allowed(keys, {})
