"""flows.predictions: answers beside the ids of their rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flows.predictions import predictions
from flows.results import Result, read_results
from tests.small_evaluated import write_evaluated


def evaluated_in(folder: Path) -> Result:
    (found,) = (one for one in read_results(write_evaluated(folder))[0] if one.stage == "evaluate")
    return found


def of_kind(folder: Path, kind: str) -> None:
    path = folder / "artifacts/tasks/topic/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"task_kind": kind}))


def test_answers_are_joined_with_the_ids_of_their_rows_and_no_text(here: Path) -> None:
    assert predictions(here, evaluated_in(here)) == {
        "row": ["test/line-1", "test/line-2"],
        "model": ["candidate", "candidate"],
        "actual": ["Arts", "Arts"],
        "predicted": ["Arts", "History"],
        "right": [True, False],
    }


@pytest.mark.parametrize("kind", ["multi_label", "token_classification", "generation", "retrieval"])
def test_as_many_answers_as_rows_are_no_answers_to_rows_of_a_kind_that_gives_others(here: Path, kind: str) -> None:
    evaluated = evaluated_in(here)
    of_kind(here, kind)
    assert predictions(here, evaluated) is None


def test_numbers_are_neither_right_nor_wrong(here: Path) -> None:
    evaluated = evaluated_in(here)
    of_kind(here, "regression")
    (here / "numbers.csv").write_text("actual,predicted\n1.0,1.02\n2.0,1.98\n")
    table = predictions(here, replace(evaluated, curves=here / "numbers.csv"))
    assert table is not None
    assert "right" not in table
    assert table["predicted"] == ["1.02", "1.98"]
