"""components.registry against a real SQLite store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pandas
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from components import registry, tracking
from components.errors import ArtifactError, ServiceError
from components.registry import GENERATED, SENTENCES, _load_pyfunc
from components.runtime.generation.generator import Sampling, load_generator
from components.tasks.relation_extraction import check_marked
from tests.small_ladder import Ladder

TEXTS = ["ship wave whale tide", "wheat plough barn", "street tower market"]


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


def test_the_pyfunc_takes_frames_and_lists(ladder: Ladder) -> None:
    model = _load_pyfunc(str(ladder.bundle))
    frame = model.predict(pandas.DataFrame({"text": TEXTS, "other": [1, 2, 3]}))
    assert list(frame.columns) == ["label", "score"]
    assert frame["label"].tolist() == ["sea", "field", "city"]
    pandas.testing.assert_frame_equal(frame, model.predict(TEXTS, params={}))


def test_the_input_example_of_relations_has_both_spans_marked() -> None:
    check_marked(SENTENCES[1])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (pandas.DataFrame({"content": TEXTS}), "no column 'text' among content"),
        (pandas.DataFrame([["a", "b"]], columns=["text", "text"]), "two columns are called 'text'"),
        (pandas.DataFrame({"text": ["a", None]}), "text 1: expected a string, found NoneType"),
        (["a", 3], "text 1: expected a string, found int"),
    ],
)
def test_what_is_no_text_is_mlflows_own_error(ladder: Ladder, given: Any, told: str) -> None:
    with pytest.raises(MlflowException, match=told) as raised:
        _load_pyfunc(str(ladder.bundle)).predict(given)
    assert raised.value.get_http_status_code() == 400


@pytest.fixture(scope="module")
def served(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The application of `mlflow models serve`, with a bundle as it is registered."""
    folder, example = tmp_path_factory.mktemp("pyfunc") / "model", pandas.DataFrame({"text": ["ship"]})
    signature = mlflow.models.infer_signature(example, _load_pyfunc(str(ladder.bundle)).predict(example))
    mlflow.pyfunc.save_model(
        folder, loader_module="components.registry", data_path=str(ladder.bundle), signature=signature
    )
    with TestClient(scoring_server.init(mlflow.pyfunc.load_model(str(folder)))) as client:
        yield client


def test_mlflow_serves_a_bundle(served: TestClient) -> None:
    answer = served.post("/invocations", json={"dataframe_split": {"columns": ["text"], "data": [["ship wave"]]}})
    assert answer.json()["predictions"][0]["label"] == "sea"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["a"], [None]], "text 1: expected a string, found NoneType None"),
        ([[None]], "text 0: expected a string, found NoneType None"),
        ([["a"], [3]], "text"),
        ([[3]], "text"),
        ([[{"a": 1}]], "text"),
        ([[["a"]]], "text"),
    ],
)
def test_mlflow_answers_what_is_no_text_with_400_and_a_sentence(served: TestClient, rows: list[Any], told: str) -> None:
    answer = served.post("/invocations", json={"dataframe_split": {"columns": ["text"], "data": rows}})
    assert answer.status_code == 400
    assert told in answer.json()["message"]
    assert "stack_trace" not in answer.json()
    assert "Traceback" not in json.dumps(answer.json())


@pytest.mark.parametrize(
    "asked",
    [
        {"dataframe_split": {"columns": ["content"], "data": [["a"]]}},
        {"dataframe_records": [{"text": "a"}, {"content": "b"}]},
        {"instances": [{"content": "a"}]},
    ],
)
def test_mlflow_answers_other_columns_with_400_and_a_sentence(served: TestClient, asked: dict[str, Any]) -> None:
    answer = served.post("/invocations", json=asked)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text
    assert "stack_trace" not in answer.json()


def test_a_language_model_answers_through_mlflow_with_what_it_carries_a_text_on_with(decoder_bundle: Path) -> None:
    frame = _load_pyfunc(str(decoder_bundle)).predict(["ship wave", "street"])
    by = Sampling(max_tokens=GENERATED, temperature=0.0, top_p=1.0, seed=None, stop=())
    assert frame["completion"].tolist() == load_generator(decoder_bundle).complete(["ship wave", "street"], by)
