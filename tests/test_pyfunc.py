"""components.pyfunc as MLflow loads and serves it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from components.pyfunc import GENERATED, SENTENCES, _load_pyfunc
from components.runtime.generation.generator import Sampling, load_generator
from components.tasks.relation_extraction import check_marked
from tests.small_ladder import Ladder

TEXTS = ["ship wave whale tide", "wheat plough barn", "street tower market"]


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
        folder, loader_module="components.pyfunc", data_path=str(ladder.bundle), signature=signature
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
