"""components.suites.answers: a system answers the rows as they are published."""

from __future__ import annotations

from components.suites.answers import scored, tags_of_tokens
from components.suites.suite import suite_of
from components.tasks.token_classification import words_of


def test_tags_of_words_become_those_of_a_files_tokens() -> None:
    tokens = ["U.S.", "sails", "to", "Nan-tucket", "."]
    words = words_of(" ".join(tokens))
    tags = ["B-LOC", *["I-LOC"] * 3, "O", "O", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert len(words) == len(tags)
    assert tags_of_tokens(tokens, tags) == ["B-LOC", "O", "O", "B-LOC", "O"]
    assert tags_of_tokens(tokens, tags[:1]) == ["B-LOC", "O", "O", "O", "O"]


def test_hidden_labels_are_not_scored() -> None:
    task = suite_of("glue/sst2").tasks[0]
    rows = [{"sentence": "a", "label": label} for label in ("1", "0", "-1")]
    answers = ["positive", "positive", "negative"]
    assert scored(task, task.parts[0], rows, answers) == {"accuracy": 0.5}
    assert scored(task, task.parts[0], rows[2:], answers[2:]) == {}
