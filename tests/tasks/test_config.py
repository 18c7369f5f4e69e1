"""components.tasks.config."""

from __future__ import annotations

from components.tasks.kinds import KINDS
from tests.small_params import checked, refused


def test_every_kind_is_taken_and_no_other() -> None:
    for kind in KINDS:
        assert checked({"tasks.topic.kind": kind}).tasks["topic"].kind == kind
    assert "tasks.topic.kind: no task kind 'regresion'; nearest: regression" in refused(
        {"tasks.topic.kind": "regresion"}
    )


def test_a_language_may_be_named_in_any_way_but_is_one() -> None:
    assert checked({"tasks.form.language": "Chinese"}).tasks["form"].language == "zh"
    for other in ("fr", "en,zh"):
        assert "tasks.form.language" in refused({"tasks.form.language": other})
