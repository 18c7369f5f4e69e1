from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from components.tasks.metrics import score
from components.tasks.relation_extraction import RelationExtraction, RelationF1, check_marked, marked

TEXT = "Accra is the capital of Ghana."
MARKED = "[E1] Accra [/E1] is the capital of [E2] Ghana [/E2]."
TASK = RelationExtraction.fit(["capital_of", "none", "city_in"], no_relation="none")


def test_two_spans_are_marked_whichever_comes_first() -> None:
    assert marked(TEXT, [0, 5], [24, 29]) == MARKED
    assert marked(TEXT, [24, 29], [0, 5]) == "[E2] Accra [/E2] is the capital of [E1] Ghana [/E1]."
    assert TASK.plain(MARKED) == TEXT


@pytest.mark.parametrize(
    ("head", "tail", "why"),
    [
        ([0, 0], [24, 29], r"head \[0, 0\] is no span of a text of 30 characters"),
        ([0, 5], [24, 31], r"tail \[24, 31\] is no span of a text of 30 characters"),
        ([0, 5], [4, 8], r"head \[0, 5\] and tail \[4, 8\] overlap"),
    ],
)
def test_a_span_that_is_none_is_refused(head: list[int], tail: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        marked(TEXT, head, tail)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TEXT, r"the text has \[E1\] 0 times"),
        (f"{MARKED} [E2]", r"the text has \[E2\] 2 times"),
        ("[/E1] a [E1] [E2] b [/E2]", r"\[/E1\] stands before \[E1\]"),
    ],
)
def test_a_text_without_its_markers_is_refused(text: str, why: str) -> None:
    check_marked(MARKED)
    with pytest.raises(ValueError, match=why):
        TASK.check_row({"text": text, "label": "none"})


def test_a_text_that_is_asked_about_has_its_markers() -> None:
    assert TASK.refusal(MARKED) == ""
    assert TASK.refusal(TEXT).startswith("the text has [E1] 0 times")


def test_the_label_of_no_relation_is_one_of_the_rows() -> None:
    with pytest.raises(ValueError, match="no train row has the label 'other'"):
        RelationExtraction.fit(["a", "b"], no_relation="other")
    with pytest.raises(ValueError, match="every train row has the label 'a'"):
        RelationExtraction.fit(["a", "a"])
    with pytest.raises(ValueError, match="no_relation 'x' is not among the labels"):
        RelationExtraction.from_manifest({"labels": ["a", "b"], "no_relation": "x"})


@given(st.integers(0, 10_000))
def test_micro_f1_leaves_out_rows_without_a_relation_as_scikit_learn_does(seed: int) -> None:
    targets, answers = np.random.default_rng(seed).integers(0, 4, size=(2, 30))
    expected = f1_score(targets, answers, labels=[0, 2, 3], average="micro", zero_division=0)
    assert score(RelationF1(4, none=1), targets, answers) == pytest.approx(expected)
    assert score(RelationF1(4, none=-1), targets, answers) == pytest.approx((targets == answers).mean())
