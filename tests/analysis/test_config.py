"""components.analysis.config."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_params import refused


def test_intervals_are_asked_for_as_those_of_evaluate() -> None:
    assert "analyze.bootstrap_samples: input should be greater" in refused({"analyze.bootstrap_samples": 99})
    assert "analyze: unknown" not in refused({"analyze.confidence": 1.0})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"before": "{name} is here"}, "nothing fills {name}"),
        ({"after": "{"}, "no template"),
        ({"after": "{a:d}", "fill": {"a": ["x"]}}, "{a} stands with a format"),
        ({"after": "{a!x}", "fill": {"a": ["x"]}}, "{a} stands with a format"),
        ({"after": "{a:{b}}", "fill": {"a": ["x"], "b": ["y"]}}, "{a} stands with a format"),
        ({"fill": {"a": ["x", "y"]}}, "no template has {a}"),
        ({"before": "{a} {b}", "fill": {"a": ["x"] * 40, "b": ["y"] * 40}}, "1,600 cases, at most 1,000"),
        ({"expect": "up"}, "needs the label"),
    ],
)
def test_a_test_of_behaviour_that_cannot_run_is_refused(changes: dict[str, Any], told: str) -> None:
    test = {"name": "names", "task": "topic", "before": "a", "after": "b", "expect": "same"} | changes
    assert told in refused({"analyze.robustness.tests": [test]})


def test_two_tests_of_a_task_have_two_names() -> None:
    test = {"name": "negation", "task": "topic", "before": "a", "after": "b", "expect": "same"}
    assert "two tests of topic are called negation" in refused({"analyze.robustness.tests": [test, test]})
    polar = {"analyze.robustness.polar_labels": [{"negative": "a", "positive": "b"}]}
    assert "two tests of topic are called negation" in refused({"analyze.robustness.tests": [test], **polar})


def test_a_test_of_a_task_that_is_not_there_is_refused() -> None:
    test = {"name": "names", "task": "topik", "before": "a", "after": "b", "expect": "same"}
    assert "names is of task 'topik', known: topic" in refused({"analyze.robustness.tests": [test]})


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"fr": {}}, "groups.fr: texts of tasks are in en or zh"),
        ({"en": {"age": {"young": ["teenager"]}}}, "groups.en.age: young alone: add a group"),
        ({"en": {"age": {"young": ["Student"], "old": ["student"]}}}, "groups.en.age.old: 'student' is in young too"),
        ({"en": {"age": {"young": [], "old": ["elder"]}}}, "groups.en.age.young: no words"),
        ({"en": {"age": {"young": [" "], "old": ["elder"]}}}, "groups.en.age.young: a word is empty"),
        ({"en": {"age": {"young": ["x"], "old": [f"y{n}" for n in range(101)]}}}, "old: 101 words, at most 100"),
        ({"en": {"age": {"young": ["x"], "old": "elder"}}}, "groups.en.age.old"),
        ({"en": {"worst": {"young": ["x"], "old": ["y"]}}}, "groups.en.worst: not a name for a category"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(groups: dict[str, Any], told: str) -> None:
    assert told in refused({"analyze.fairness.groups": groups})
