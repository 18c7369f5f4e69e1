"""components.tasks.config."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS
from tests.small_params import checked, refused

MARKERS = ["[E1]", "[/E1]", "[E2]", "[/E2]"]
MODEL_OF = {None: "modernbert", "causal_lm": "gpt2", "seq2seq_lm": "t5"}
WHOLE = {"distill.width_fraction": 1.0, "distill.ffn_fraction": 1.0}


def test_every_kind_is_taken_and_no_other() -> None:
    for kind, entry in KINDS.items():
        needed = {"model.architecture": MODEL_OF[entry.head], "train_tokenizer.special_tokens": MARKERS, **WHOLE}
        assert checked({"tasks.topic.kind": kind, "tasks.form.kind": kind, **needed}).tasks["topic"].kind == kind
    assert "tasks.topic.kind: no task kind 'regresion'; nearest: regression" in refused(
        {"tasks.topic.kind": "regresion"}
    )


def test_a_model_that_cannot_generate_is_refused_with_those_that_can() -> None:
    message = refused({"tasks.topic.kind": "generation"})
    assert message.startswith("params.yaml: tasks.topic.kind: modernbert cannot generate; gpt2, llama, ")


def test_a_kind_whose_texts_have_tokens_of_their_own_asks_for_them() -> None:
    asked = 'needs tokens of its own: write train_tokenizer.special_tokens: ["<a>", "[E1]", "[/E1]", "[E2]", "[/E2]"]'
    assert asked in refused({"tasks.topic.kind": "relation_extraction", "train_tokenizer.special_tokens": ["<a>"]})


def test_an_encoder_decoder_writes_texts_and_nothing_else_does() -> None:
    assert "topic.kind: modernbert cannot write another text; t5, bart can" in refused(
        {"tasks.topic.kind": "translation"}
    )
    assert "topic.kind: t5 cannot label texts; modernbert, bert, " in refused({"model.architecture": "t5"})


def test_an_encoder_decoder_keeps_its_width() -> None:
    written = {"tasks.topic.kind": "translation", "tasks.form.kind": "summarization", "model.architecture": "bart"}
    message = refused(written)
    assert "distill.width_fraction: a bart is made smaller by layers alone" in message
    assert "set distill.width_fraction and distill.ffn_fraction to 1.0" in message
    assert checked(written | WHOLE).model.architecture == "bart"


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
