"""flows.predictions: answers beside the ids of their rows."""

from __future__ import annotations

from pathlib import Path

from flows.predictions import predictions
from flows.results import read_results
from tests.small_evaluated import write_evaluated


def test_answers_are_joined_with_the_ids_of_their_rows_and_no_text(here: Path) -> None:
    (evaluated,) = (one for one in read_results(write_evaluated(here))[0] if one.stage == "evaluate")
    assert predictions(here, evaluated) == {
        "row": ["test/line-1", "test/line-2"],
        "actual": ["Arts", "Arts"],
        "predicted": ["Arts", "History"],
        "right": [True, False],
    }
    # Answers to words are no answers to rows.
    (here / "artifacts/tasks/topic/test.jsonl").write_text('{"id": "test/line-1"}\n')
    assert predictions(here, evaluated) is None
