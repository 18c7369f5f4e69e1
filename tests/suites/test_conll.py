"""components.suites.conll: entities as the published files mark them."""

from __future__ import annotations

from components.suites.answers import scored
from components.suites.suite import suite_of


def test_published_tags_that_begin_with_inside_are_the_same_entities() -> None:
    task = suite_of("conll2003").tasks[0]
    raw = {"tokens": ["New", "York", "Paris"], "ner_tags": ["I-LOC", "I-LOC", "B-LOC"]}
    assert task.target(raw) == ["B-LOC", "I-LOC", "B-LOC"]
    assert scored(task, task.parts[0], [raw], [["B-LOC", "I-LOC", "O"]]) == {"span_f1": round(2 / 3, 6)}
