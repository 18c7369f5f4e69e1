"""components.suites.suite: the table of suites, and what a label may look like."""

from __future__ import annotations

import pytest

from components.errors import DataError, ParameterError
from components.suites.suite import SUITES, label_of, suite_of
from components.tasks.config import TaskConfig


@pytest.mark.parametrize("name", list(SUITES))
def test_every_task_of_a_suite_stands_in_params_as_a_kind(name: str) -> None:
    suite = suite_of(name)
    for task in suite.tasks:
        assert TaskConfig.variant(task.kind["kind"]).model_validate(dict(task.kind))
        assert task.trained_as in ("", *(one.name for one in suite.tasks))
        assert set(task.splits) <= set(task.files)
        assert {"True", "False"}.isdisjoint(task.labels)  # the pipeline's rows have truths in lower case
    titles = [part.title for task in suite.tasks for part in task.parts]
    assert len(titles) == len(set(titles))


def test_one_task_of_a_suite_comes_with_the_one_that_answers_it() -> None:
    assert [task.name for task in suite_of("glue/ax").tasks] == ["mnli", "ax"]
    assert [task.name for task in suite_of("glue/rte").tasks] == ["rte"]
    assert not suite_of("glue/rte").averaged
    with pytest.raises(ParameterError, match="nearest: superglue"):
        suite_of("super_glue")


def test_a_label_is_a_name_a_number_or_a_truth() -> None:
    assert label_of(("False", "True"), True) == label_of(("False", "True"), 1) == "True"
    assert label_of(("false", "true"), "True") == "true"
    assert label_of(("100", "101"), "101") == label_of(("100", "101"), 1) == "101"
    assert label_of(("a", "b"), -1) is label_of(("a", "b"), "-") is label_of(("a", "b"), None) is None
    with pytest.raises(DataError, match="label 'c' is not among a, b"):
        label_of(("a", "b"), "c")
