"""Question answering: SQuAD's rules by hand, windows, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

from components.modeling.checkpoints import load_tokenizer
from components.runtime.encoding import Encoder
from components.runtime.prediction import windows_of
from components.tasks.kinds import task_of
from components.tasks.metrics import score
from components.tasks.question_answering import (
    AnswerF1,
    ExactMatch,
    Places,
    QuestionAnswering,
    normalised,
    without_truncation,
)
from components.tasks.task import NO_TARGET
from components.training.task_data import TaskData, encode
from components.training.task_outputs import NEVER
from tests.small_artifacts import WORDS

CONTEXT = " ".join([*WORDS["sea"], *WORDS["city"]] * 4)
TASK = QuestionAnswering(("start", "end"), doc_stride=4, unanswerable=True)


def row(text: str, start: int = 0, context: str = CONTEXT) -> dict[str, Any]:
    texts = [text] if text else []
    return {
        "id": "train/1",
        "question": "which sea?",
        "context": context,
        "answers": {"text": texts, "answer_start": [start] * len(texts)},
    }


@pytest.mark.parametrize(
    ("right", "answer", "exact", "f1"),
    [
        (["the Eiffel Tower"], "Eiffel tower.", 1, 1),
        (["Denver Broncos"], "the Denver Broncos team", 0, 0.8),
        (["Denver Broncos", "Denver Broncos team"], "the Denver Broncos team", 1, 1),
        (["14th", "14 years"], "14 long years", 0, 0.8),
        (["a sea, a sea"], "sea", 0, 2 / 3),
        (["Paris"], "London", 0, 0),
        ([], "", 1, 1),
        ([], "Paris", 0, 0),
        (["Paris"], "", 0, 0),
        (["the", "Paris"], "", 0, 0),
        # CMRC 2018: the longest common run of characters, signs left out.
        (["范廷颂"], "枢机范廷颂", 0, 0.75),
        (["《诗经》"], "诗经", 1, 1),
        (["1990年"], "1990年被", 0, 0.8),
        (["北京大学"], "北方大学", 0, 0.5),
        (["1990年", "1990年被"], "1990年被", 1, 1),
    ],
)
def test_answers_are_scored_as_the_evaluations_of_squad_and_cmrc_do(
    right: list[str], answer: str, exact: float, f1: float
) -> None:
    targets = TASK.targets([{"answers": {"text": right}}])
    answers = TASK.written([answer])
    assert score(ExactMatch(), targets, answers) == exact
    assert score(AnswerF1(), targets, answers) == pytest.approx(f1)


WORDS_OF_ANSWERS = st.sampled_from(
    ["the", "a", "An", "sea", "Sea,", "(ship)", "14th", "Ångström", "it's", "U.S.", "$5", "--", "wave\u00a0wave", "I"]
)
ANSWERS = st.lists(WORDS_OF_ANSWERS, max_size=6).map(" ".join)
RIGHT = st.lists(ANSWERS.filter(normalised), min_size=1, max_size=3)
"""An article by itself is no right answer in SQuAD 2's evaluation, and one in SQuAD 1's."""


def as_torchmetrics_score(right: Sequence[Sequence[str]], answers: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 by torchmetrics, from 0 to 1; no right answer is the empty one, as SQuAD 2 has it."""
    found = squad(
        [{"prediction_text": answer, "id": str(number)} for number, answer in enumerate(answers)],
        [
            {"answers": {"answer_start": [0] * max(len(texts), 1), "text": [*texts] or [""]}, "id": str(number)}
            for number, texts in enumerate(right)
        ],
    )
    return float(found["exact_match"]) / 100, float(found["f1"]) / 100


@settings(deadline=None)  # torchmetrics begins slowly
@given(st.lists(st.tuples(RIGHT | st.just([]), ANSWERS), min_size=1, max_size=6))
def test_scores_are_those_of_torchmetrics(rows: list[tuple[list[str], str]]) -> None:
    right, answers = zip(*rows, strict=True)
    targets = TASK.targets([{"answers": {"text": texts}} for texts in right])
    exact, f1 = as_torchmetrics_score(right, answers)
    assert score(ExactMatch(), targets, TASK.written(answers)) == pytest.approx(exact, abs=1e-6)
    assert score(AnswerF1(), targets, TASK.written(answers)) == pytest.approx(f1, abs=1e-6)


@settings(deadline=None)  # torchmetrics begins slowly
@given(st.lists(st.tuples(RIGHT | st.just([]), ANSWERS.filter(bool), st.integers(-3, 3)), min_size=1, max_size=6))
def test_no_threshold_for_no_answer_is_better_than_the_tuned_one(rows: list[tuple[list[str], str, int]]) -> None:
    """SQuAD 2's rule: no answer where its score is more than the threshold above that of the best span."""
    right, found, margins = zip(*rows, strict=True)
    targets, texts = TASK.targets([{"answers": {"text": one}} for one in right]), TASK.written(found)
    outputs = np.full((len(rows), 6 + texts.shape[1]), np.nan, dtype=np.float32)
    outputs[:, :6] = [[0, 4, 2, 2 + margin, 0.5, 0.1] for margin in margins]
    outputs[:, 6:] = np.where(texts == NO_TARGET, np.nan, texts)
    tuned = TASK.tuned(outputs, targets)

    def f1_at(threshold: float) -> float:
        answers = ["" if margin > threshold else text for text, margin in zip(found, margins, strict=True)]
        return as_torchmetrics_score(right, answers)[1]

    by_rule = tuned.values(tuned.decode(outputs))
    assert by_rule == ["" if one > tuned.null_threshold else text for text, one in zip(found, margins, strict=True)]
    best = max(f1_at(threshold - 0.5) for threshold in range(-3, 5))
    assert as_torchmetrics_score(right, by_rule)[1] == pytest.approx(best, abs=1e-6)


def test_windows_overlap_and_hold_every_token_of_the_context_once_or_more(tokenizer_folder: Path) -> None:
    tokenizer = without_truncation(load_tokenizer(tokenizer_folder).backend_tokenizer)
    windows = TASK.windows(tokenizer, ("which sea?", CONTEXT), 24)
    spans = [[*zip(*places_of(window.places), strict=True)] for window in windows]
    assert len(windows) > 2
    assert all(len(window.ids) <= 24 for window in windows)
    assert all(one[-4:] == other[:4] for one, other in pairwise(spans))
    once = [span for number, window in enumerate(spans) for span in window[4 if number else 0 :]]
    assert once == tokenizer.encode(CONTEXT, add_special_tokens=False).offsets


def places_of(numbers: np.ndarray) -> list[list[int]]:
    places = Places.of(numbers)
    return [column[places.ours].tolist() for column in (places.begins, places.ends)]


def test_a_long_question_leaves_room_for_its_context(tokenizer_folder: Path) -> None:
    tokenizer = without_truncation(load_tokenizer(tokenizer_folder).backend_tokenizer)
    windows = TASK.windows(tokenizer, (CONTEXT, CONTEXT), 24)
    assert all(Places.of(window.places).ours.sum() >= 4 for window in windows)


def test_windows_are_the_same_in_training_and_serving(tokenizer_folder: Path) -> None:
    examples = TASK.encode([row("wave", 5)], load_tokenizer(tokenizer_folder), 24)
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 24, 0, types=True)
    [windows] = windows_of(TASK, encoder, [TASK.text(row("wave", 5))])
    assert [example.features["input_ids"] for example in examples] == [window.ids for window in windows]
    assert all((one.places == other.places).all() for one, other in zip(examples, windows, strict=True))


def test_a_window_learns_the_answer_that_it_has_and_none_else(tokenizer_folder: Path) -> None:
    place = CONTEXT.rindex("tower")
    rows = [row("tower", place), row("")]
    examples = TASK.encode(rows, load_tokenizer(tokenizer_folder), 24)
    found = []
    for example, (start, end) in zip(examples, TASK.learned(rows, examples), strict=True):
        places = Places.of(example.places)
        if places.ours[start]:
            # A token may begin with the blank before its word.
            assert place - 1 <= places.begins[start] <= place
            assert places.ends[end] == place + len("tower")
            found.append(example.row)
        else:
            assert start == end == places.none
    assert found
    assert set(found) == {0}


def outputs_for(windows: list[Any], start: int, end: int, none: float) -> list[np.ndarray]:
    """Logits by which an answer begins and ends at these characters, wherever a window has them."""
    found = []
    for window in windows:
        places = Places.of(window.places)
        logits = np.zeros((len(places.ours) + 3, 2), dtype=np.float32)
        logits[places.none] = none
        logits[:-3, 0][(places.begins == start) | (places.begins == start - 1)] = 4
        logits[:-3, 1][places.ends == end] = 4
        found.append(logits)
    return found


@pytest.mark.parametrize(("none", "answer"), [(0.0, "harbour sail"), (9.0, "")])
def test_the_best_span_of_all_windows_is_the_answer(tokenizer_folder: Path, none: float, answer: str) -> None:
    tokenizer = without_truncation(load_tokenizer(tokenizer_folder).backend_tokenizer)
    windows = TASK.windows(tokenizer, ("which sea?", CONTEXT), 24)
    start = CONTEXT.rindex("harbour sail")
    reduced = TASK.reduced(outputs_for(windows, start, start + 12, none), [window.places for window in windows])
    merged = TASK.merged(reduced, [len(windows)])
    assert TASK.values(TASK.decode(merged)) == [answer]
    assert merged[0, :2].tolist() == [start, start + 12]
    assert 0 < merged[0, 4] < 1


def test_answers_that_end_before_they_begin_or_are_too_long_are_none(tokenizer_folder: Path) -> None:
    tokenizer = without_truncation(load_tokenizer(tokenizer_folder).backend_tokenizer)
    windows = TASK.windows(tokenizer, ("which city?", "ship wave harbour sail"), 40)
    short = replace(TASK, max_answer_tokens=1, unanswerable=False)
    for start, end in ((10, 4), (0, 22)):
        reduced = short.reduced(outputs_for(windows, start, end, 0), [window.places for window in windows])
        assert reduced[0, 1] - reduced[0, 0] < 10


def test_a_graph_that_answers_with_nan_answers_nothing(tokenizer_folder: Path) -> None:
    tokenizer = without_truncation(load_tokenizer(tokenizer_folder).backend_tokenizer)
    [window] = TASK.windows(tokenizer, ("which?", "ship wave"), 40)
    reduced = TASK.reduced([np.full((40, 2), np.nan)], [window.places])
    assert TASK.values(TASK.decode(TASK.merged(reduced, [1]))) == [""]


def test_the_threshold_for_no_answer_is_the_best_on_validation_rows() -> None:
    texts = TASK.written(["ship", "wave", "lamp"])
    outputs = np.full((3, 6 + texts.shape[1]), np.nan, dtype=np.float32)
    outputs[:, :6] = [[0, 4, 2, 1, 0.5, 0.1], [0, 4, 2, 5, 0.5, 0.1], [0, 4, 2, 6, 0.5, 0.1]]
    outputs[:, 6:] = texts
    tuned = TASK.tuned(outputs, TASK.written(["ship", "wave", ""]))
    assert tuned.null_threshold == 3.5  # the right answers' margins are -1 and 3, and 4 is one of no answer
    assert tuned.values(tuned.decode(outputs)) == ["ship", "wave", ""]
    assert task_of(tuned.manifest()) == tuned
    assert replace(TASK, unanswerable=False).tuned(outputs, texts).null_threshold == 0


def test_a_batch_has_windows_and_only_the_context_may_answer(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    rows = [row("wave", 5), row("")]
    examples = encode(TASK, rows, tokenizer, 24)
    special = torch.tensor(tokenizer.all_special_ids)
    data = TaskData(TASK, 24, special, 0, 0, examples, examples, tokenizer)
    batch = data.batch(examples, range(len(examples.ids)))
    assert batch["targets"].shape == (len(examples.ids), 2)
    assert batch["count"] == 2 * len(examples.ids)
    assert batch["allowed"].gather(1, batch["targets"]).all()
    outputs = torch.zeros(len(examples.ids), 2, batch["input_ids"].shape[1]).masked_fill(
        ~batch["allowed"][:, None], NEVER
    )
    expected = 2 * batch["allowed"].sum(dim=1).double().log().sum()
    assert TASK.loss(outputs, batch["targets"]).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"text": ["wave"], "answer_start": [4]}, "not at character 4"),
        ({"text": ["wave"], "answer_start": []}, "1 answers, and 0 places"),
        ({"text": "wave"}, "have no text and answer_start"),
        ({"text": [""], "answer_start": [0]}, "no texts with their first characters"),
    ],
)
def test_a_row_whose_answer_cannot_be_is_told(answers: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TASK.check_row(row("") | {"answers": answers})


def test_a_task_needs_answers() -> None:
    with pytest.raises(ValueError, match="no train row has an answer"):
        QuestionAnswering.fit([{"text": [], "answer_start": []}])
    assert not QuestionAnswering.fit([{"text": ["x"], "answer_start": [0]}]).unanswerable
