"""Span F1 is seqeval's, whatever tags come in whatever order."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from components.tasks.metrics import score
from components.tasks.token_classification import SpanF1, TokenClassification, entities_of

TAGS = ("O", *(f"{prefix}-{name}" for name in ("LOC", "PER") for prefix in "BIES"))
TAGGER = TokenClassification(TAGS)

pairs = st.integers(1, 8).flatmap(
    lambda length: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=length, max_size=length)] * 2)
)


@given(st.lists(pairs, min_size=1, max_size=6))
def test_span_f1_is_that_of_seqeval(rows: list[tuple[list[str], list[str]]]) -> None:
    targets, answers = zip(*rows, strict=True)
    numbers = [TAGGER.targets([{"tags": tags} for tags in side]) for side in (targets, answers)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what has no entity at all
        expected = f1_score(list(targets), list(answers))
    assert score(SpanF1(TAGS), *numbers) == pytest.approx(float(expected))


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=12))
def test_entities_are_those_of_seqeval(tags: list[str]) -> None:
    assert entities_of(tags) == [(first, last + 1, label) for label, first, last in get_entities(tags)]
