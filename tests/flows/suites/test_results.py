"""flows.suites.results: what was answered is kept, and written as a suite's site takes it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from components.suites.suite import suite_of
from flows.suites.results import result_file, scores_of, write_submission

ROWS = {"sst2": {"test": [{"sentence": "a", "label": -1}, {"sentence": "b", "label": -1}]}}


def test_answers_are_sent_as_glue_asks_and_equal_answers_make_equal_archives(tmp_path: Path) -> None:
    answers = {"sst2": {"test": ["positive", "negative"]}}
    archives = []
    for place in ("one", "two"):
        (archive,) = write_submission(tmp_path / place, suite_of("glue"), ROWS, answers)
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(tmp_path / "one" / "glue.zip") as files:
        assert files.read("SST-2.tsv").decode() == "index\tprediction\n0\t1\n1\t0\n"


def test_without_hidden_rows_nothing_is_sent(tmp_path: Path) -> None:
    assert write_submission(tmp_path / "nothing", suite_of("conll2003"), {}, {}) == []
    assert not (tmp_path / "nothing").exists()


def test_scores_of_all_tasks_stand_together_the_teachers_first(tmp_path: Path) -> None:
    suite = suite_of("glue")
    for task, title in (("cola", "CoLA"), ("rte", "RTE")):
        path = result_file(tmp_path, next(one for one in suite.tasks if one.name == task))
        path.parent.mkdir(exist_ok=True)
        kept = {model: {"key": "", "scores": {title: {"accuracy": 0.5}}} for model in ("bundle", "teacher")}
        path.write_text(json.dumps(kept))
    found = scores_of(tmp_path, suite)
    assert list(found) == ["teacher", "bundle"]
    assert found["teacher"] == {"CoLA": {"accuracy": 0.5}, "RTE": {"accuracy": 0.5}}


def test_scores_of_a_model_that_is_there_no_more_are_not_shown(tmp_path: Path) -> None:
    suite = suite_of("glue")
    path = result_file(tmp_path, next(one for one in suite.tasks if one.name == "rte"))
    path.parent.mkdir()
    path.write_text(json.dumps({"teacher": {"key": "of another model", "scores": {"RTE": {"accuracy": 0.5}}}}))
    assert scores_of(tmp_path, suite) == {}
