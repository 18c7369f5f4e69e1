"""components.tasks.config."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS
from tests.small_params import checked, refused

MARKERS = ["[E1]", "[/E1]", "[E2]", "[/E2]"]
NEEDED = {
    "generation": {"model.architecture": "gpt2"},
    "relation_extraction": {"train_tokenizer.special_tokens": MARKERS},
}
"""Kind -> what it needs beside the parameters that ship."""


def test_every_kind_is_taken_and_no_other() -> None:
    for kind in KINDS:
        assert checked({"tasks.topic.kind": kind, **NEEDED.get(kind, {})}).tasks["topic"].kind == kind
    assert "tasks.topic.kind: no task kind 'regresion'; nearest: regression" in refused(
        {"tasks.topic.kind": "regresion"}
    )


def test_a_model_that_cannot_generate_is_refused_with_those_that_can() -> None:
    message = refused({"tasks.topic.kind": "generation"})
    assert message.startswith("params.yaml: tasks.topic.kind: modernbert cannot generate; gpt2, llama, ")


def test_a_kind_whose_texts_have_tokens_of_their_own_asks_for_them() -> None:
    asked = 'needs tokens of its own: write train_tokenizer.special_tokens: ["<a>", "[E1]", "[/E1]", "[E2]", "[/E2]"]'
    assert asked in refused({"tasks.topic.kind": "relation_extraction", "train_tokenizer.special_tokens": ["<a>"]})


def test_a_language_may_be_named_in_any_way_but_is_one() -> None:
    assert checked({"tasks.form.language": "Chinese"}).tasks["form"].language == "zh"
    for other in ("fr", "en,zh"):
        assert "tasks.form.language" in refused({"tasks.form.language": other})


class GradedConfig(TaskConfig):
    """Of a kind with a parameter of its own."""

    grades: int


def test_a_kind_may_have_parameters_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS["regression"]._replace(config=f"{__name__}:GradedConfig")
    monkeypatch.setitem(KINDS, "graded", kind)
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(GradedConfig=GradedConfig))
    entry = {"kind": "graded", "language": "en", "max_length": 16}
    taken = checked({"tasks.topic": entry | {"grades": 5}}).tasks["topic"]
    assert isinstance(taken, GradedConfig)
    assert taken.model_dump() == entry | {"grades": 5}
    assert "tasks.topic.grades: missing" in refused({"tasks.topic": entry})
    assert "tasks.topic.grade: unknown parameter\ndid you mean 'grades'?" in refused(
        {"tasks.topic": entry | {"grades": 5, "grade": 5}}
    )
    assert "tasks.topic.grades: unknown parameter" in refused(
        {"tasks.topic": entry | {"kind": "regression", "grades": 5}}
    )
