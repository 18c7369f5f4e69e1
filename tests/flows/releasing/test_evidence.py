"""flows.releasing.evidence: what the gates are given, and what they are told where it is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import read_manifest, write_json
from components.errors import ArtifactError
from components.params import Params
from components.registry import Version
from components.tasks.metrics import score
from components.tasks.retrieval import Recall, Retrieval
from components.tasks.rows import read_split, read_task
from flows.releasing.evidence import (
    Candidate,
    leaks,
    median_milliseconds,
    over_baseline,
    renumbered,
    rival,
    scores_of,
    timed_against,
)
from tests.slower import slow_down
from tests.small_bundles import CLASSIFIER, bundle

FAQ = Retrieval(("vector",), ("At nine.", "By card.", "In the park."))


def test_a_bundle_that_was_not_compared_with_its_baseline_is_not_judged() -> None:
    with pytest.raises(ArtifactError, match="the rung int8 was not compared with its baseline"):
        over_baseline({"int8": {"macro_f1": 0.9}}, "int8")
    with pytest.raises(ArtifactError, match="the rung int4 was not evaluated"):
        scores_of({"int8": {"macro_f1": 0.9}}, "int4")


def test_long_rows_decide_how_long_a_call_takes() -> None:
    found = {
        "speed": {"int8": {"batch_1_short": {"p50": 1.0}, "batch_1_full": {"p50": 2.0}, "batch_8_full": {"p50": 9}}}
    }
    assert median_milliseconds(found, "int8", 1) == 2.0
    assert median_milliseconds(found, "int8", 4) is None
    assert median_milliseconds({}, "int8", 1) is None


def verdict(**leaked: int) -> dict[str, Any]:
    columns = ("id", "held_out_in")
    return {
        "suites": {
            table: [{"column": column, "unexpected_count": count} for column in columns]
            for table, count in leaked.items()
        }
    }


def test_leaks_are_those_of_the_corpus_and_of_the_tasks_own_splits(tmp_path: Path) -> None:
    path = tmp_path / "artifacts/validation/verdict.json"
    assert leaks(tmp_path, "mood") is None
    counts = {"corpus": 0, "mood_train": 3, "mood_validation": 0, "mood_test": 0, "form_train": 7}
    write_json(path, verdict(**counts))
    write_json(tmp_path / "metrics/validate.json", {"rows": dict.fromkeys(counts, 50)})
    found = {"corpus": (0, 50), "mood_train": (3, 50), "mood_validation": (0, 50), "mood_test": (0, 50)}
    assert leaks(tmp_path, "mood") == found
    del counts["mood_test"]
    write_json(path, verdict(**counts))
    assert leaks(tmp_path, "mood") is None


def test_a_champion_with_other_passages_finds_todays_by_their_text() -> None:
    theirs = Retrieval(("vector",), ("By card.", "By post."))
    found = renumbered(FAQ, theirs, np.array([[1, 0], [0, 1]]))
    assert found.tolist() == [[-1, 1], [1, -1]]
    assert score(Recall(1), np.array([1, 1]), found) == 0.5


def test_a_champion_of_another_kind_is_no_rival(task_rows: Path, tmp_path: Path, params: Params) -> None:
    made = read_manifest(task_rows, "task")
    ours = bundle(tmp_path / "ours", CLASSIFIER | {"labels": made["labels"]})
    theirs = bundle(tmp_path / "theirs", CLASSIFIER | FAQ.manifest())
    shutil.copytree(task_rows, tmp_path / "artifacts/tasks/places")
    candidate = Candidate(tmp_path, "places", Version(2, {"rung": "int8"}), ours, {}, {})
    assert rival(candidate, theirs, Version(1, {}), params) is None


@pytest.mark.slow
def test_a_slower_rung_takes_surely_longer_than_the_champion(ladder: Any, tmp_path: Path, params: Params) -> None:
    slower = shutil.copytree(ladder.bundle, tmp_path / "bundle")
    slow_down(slower, "int8")
    task = read_task(ladder.rows)
    texts = [task.text(row) for row in read_split(ladder.rows / "test.jsonl", task)]
    few = params.model_copy(update={"release": params.release.model_copy(update={"speed_rounds": 10})})
    candidate = Candidate(tmp_path, "places", Version(2, {"rung": "int8"}), slower, {}, {})
    assert timed_against(candidate, ladder.bundle, texts, few).surely_above(1.1)
