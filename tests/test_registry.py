"""components.registry against a real SQLite store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from components import registry, tracking
from components.errors import ArtifactError, ServiceError


def registered(task: str, bundle: str, run_id: str | None = None) -> int:
    """A version without a model behind it."""
    client = tracking.connect()
    if not client.search_registered_models(f"name = '{task}'"):
        client.create_registered_model(task)
    return int(client.create_model_version(task, "nowhere", run_id, tags={"bundle": bundle}).version)


def test_there_is_no_champion_before_there_is_a_version(here: Path) -> None:
    assert registry.Registry().champion("topic") is None
    registered("topic", "a")
    assert registry.Registry().champion("topic") is None


def test_the_champion_is_the_version_last_set(here: Path) -> None:
    first, second = registered("topic", "a"), registered("topic", "b")
    known = registry.Registry()
    for version, bundle in ((first, "a"), (second, "b"), (first, "a")):
        known.set_champion("topic", version)
        assert known.champion("topic") == registry.Version(version, {"bundle": bundle})


def test_a_refused_version_says_why_until_it_is_champion_after_all(here: Path) -> None:
    known = registry.Registry()
    assert "lianzi run" in str(registry.no_champion("topic"))
    version = registered("topic", "a")
    assert known.refusal("topic") == ""
    known.refuse("topic", version, "loses 0.2 macro-F1 to its teacher")
    assert str(registry.no_champion("topic")).startswith("topic: no champion; v1 was refused: loses 0.2 macro-F1")
    known.set_champion("topic", version)
    assert known.refusal("topic") == ""


def test_where_one_waits_for_approval_it_is_named(here: Path) -> None:
    version = registered("topic", "a")
    registry.Registry().set_challenger("topic", version)
    told = "topic: no champion yet; v1 is the challenger\n`lianzi approve topic` makes it champion"
    assert str(registry.no_champion("topic")) == told


def test_the_champions_before_are_known_the_last_one_first(here: Path) -> None:
    versions = [registered("topic", bundle) for bundle in "abcd"]
    known = registry.Registry()
    assert known.former_champions("topic") == []
    for version in (versions[0], versions[2], versions[3]):
        known.set_champion("topic", version)
    assert known.former_champions("topic") == [versions[2], versions[0]]


def test_what_was_rolled_back_is_marked_until_it_is_taken_again(here: Path) -> None:
    first, second = registered("topic", "a"), registered("topic", "b")
    known = registry.Registry()
    known.set_champion("topic", first)
    known.set_champion("topic", second)
    known.roll_back("topic", first)
    assert known.champion("topic") == registry.Version(first, {"bundle": "a"})
    assert registry.ROLLED_BACK in known.versions("topic")[0].tags
    assert known.former_champions("topic") == []
    known.roll_back("topic", second)
    assert registry.ROLLED_BACK not in known.versions("topic")[0].tags
    assert registry.ROLLED_BACK in known.versions("topic")[1].tags


def test_a_challenger_becomes_champion_and_is_challenger_no_more(here: Path) -> None:
    first, second = registered("topic", "a"), registered("topic", "b")
    known = registry.Registry()
    known.set_champion("topic", first)
    assert known.challenger("topic") is None
    known.set_challenger("topic", second)
    assert known.champion("topic") == registry.Version(first, {"bundle": "a"})
    assert known.promote("topic", "approve").version == second
    assert known.champion("topic") == registry.Version(second, {"bundle": "b"})
    assert known.challenger("topic") is None
    with pytest.raises(ArtifactError, match="topic: no challenger"):
        known.promote("topic")


def test_a_declined_challenger_is_marked_until_it_is_taken_all_the_same(here: Path) -> None:
    first, second = registered("topic", "a"), registered("topic", "b")
    known = registry.Registry()
    known.set_champion("topic", first)
    known.set_challenger("topic", second)
    known.decline("topic", "rude answers", "approve")
    assert known.challenger("topic") is None
    assert known.versions("topic")[0].tags[registry.DECLINED] == "rude answers"
    known.roll_back("topic", second)
    assert registry.DECLINED not in known.versions("topic")[0].tags


def test_the_log_has_every_change_of_an_alias_and_what_made_the_version(here: Path) -> None:
    with tracking.pipeline_run("pipeline", {"mlflow.source.git.commit": "c0ffee"}) as run:
        version = registered("topic", "a", run.id)
    known = registry.Registry()
    known.set_challenger("topic", version)
    known.promote("topic", "approve")
    told = [(one.alias, one.version, one.before, one.by) for one in known.log("topic")]
    assert told == [
        ("challenger", version, None, "release"),
        ("champion", version, None, "approve"),
        ("challenger", None, version, "approve"),
    ]
    assert (known.log("topic")[1].run, known.log("topic")[1].commit) == (run.id, "c0ffee")
    assert known.broken_log("topic") == ""
    assert known.log("form") == []


def test_the_champions_of_a_store_from_before_the_log_are_known(here: Path) -> None:
    first, second, third = (registered("topic", bundle) for bundle in "abc")
    known = registry.Registry()
    known.client.set_registered_model_tag("topic", "champions", f"{first} {second}")
    known.set_champion("topic", third)
    assert known.former_champions("topic") == [second, first]


def test_a_version_is_found_by_its_bundle(here: Path) -> None:
    registered("topic", "a")
    second = registered("topic", "b")
    assert registry.Registry().version_of("topic", "b") == second
    assert registry.Registry().version_of("topic", "c") is None
    assert registry.Registry().version_of("form", "b") is None


class Refusing(BaseHTTPRequestHandler):
    """MLflow's tracking server in the moment when its registry is out of order, or a proxy hides it."""

    status = 503

    def do_GET(self) -> None:
        known = "experiments" in self.path
        told = {"experiment": {"experiment_id": "1", "name": tracking.EXPERIMENT}} if known else {}
        body = json.dumps(told).encode() if known else b"not today"
        self.send_response(200 if known else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing(here: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    handler = type("Handler", (Refusing,), {"status": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("refusing", [503, 404], indirect=True)
def test_a_run_is_gone_only_where_the_store_says_so(refusing: None) -> None:
    with pytest.raises(MlflowException):
        registry.Registry()._run_tags("0" * 32)


def test_of_a_version_whose_run_is_gone_nothing_of_it_is_known(here: Path) -> None:
    version = registered("topic", "a", "0" * 32)
    known = registry.Registry()
    assert known.noted("topic", version, "reproduced") == ""
    known.set_champion("topic", version)
    assert (known.log("topic")[0].run, known.log("topic")[0].commit) == ("0" * 32, "")


@pytest.mark.parametrize("refusing", [503, 500, 404, 403], indirect=True)
@pytest.mark.parametrize(
    "ask",
    [
        lambda known: known.champion("topic"),
        lambda known: known.version_of("topic", "a"),
        lambda known: known.versions("topic"),
        lambda known: known.set_champion("topic", 1),
    ],
    ids=["champion", "version_of", "versions", "set_champion"],
)
def test_a_registry_that_does_not_answer_is_never_an_empty_one(
    refusing: None, ask: Callable[[registry.Registry], object]
) -> None:
    with pytest.raises(ServiceError, match=r"registry at http://127.0.0.1:\d+: .*\n.*run again once it answers"):
        ask(registry.Registry())
