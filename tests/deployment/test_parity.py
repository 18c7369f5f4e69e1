from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.parity import answers, compare, compare_task, gathered, shapes
from components.errors import DataError
from components.evaluation.metrics import Bootstrap
from components.runtime.encoding import Encoder
from components.tasks.classification import Classification

BATCHES = {
    "one row": (np.array([[1, 2]]), np.array([[1, 1]])),
    "two rows": (np.array([[3, 4], [5, 6]]), np.array([[1, 1], [1, 1]])),
}


def logits(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.stack([ids.sum(axis=1), (ids * mask).max(axis=1)], axis=1).astype(np.float32)


def test_a_rung_is_no_distance_from_itself() -> None:
    parity = compare(logits, logits, BATCHES)
    assert (parity.max_difference, parity.mean_difference, parity.agreement) == (0, 0, 1)


def test_the_shape_with_the_largest_difference_is_named() -> None:
    def wrong_for_two(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return logits(ids, mask) + (0.5 if len(ids) == 2 else 0.0)

    parity = compare(logits, wrong_for_two, BATCHES)
    assert parity.worst_shape == "two rows"
    assert parity.max_difference == 0.5
    assert parity.metrics() == {"max_difference": 0.5, "mean_difference": 0.333, "agreement": 1.0}


def test_not_a_number_is_an_infinite_difference() -> None:
    assert compare(logits, lambda ids, mask: logits(ids, mask) * np.nan, BATCHES).max_difference == np.inf


def test_another_answer_counts_against_agreement() -> None:
    assert compare(logits, lambda ids, mask: logits(ids, mask)[:, ::-1], BATCHES).agreement == 0


def test_shapes_go_from_one_row_to_many_and_from_one_token_to_full_length(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    found = [ids.shape for ids, _ in shapes(encoder, [("ship " * n).strip() for n in range(40)]).values()]
    assert {rows for rows, _ in found} == {1, 3, 8, 32}
    for size in (1, 3, 8):
        assert {length for rows, length in found if rows == size} >= {1, 2, 4, 8, 16}


def test_padding_stands_on_the_right_and_no_row_is_padding_alone(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    for ids, mask in shapes(encoder, ["ship and sea", "海船"]).values():
        assert (mask[:, 0] == 1).all()
        assert (np.diff(mask, axis=1) <= 0).all()
        assert (ids[mask == 0] == 0).all()


def test_one_text_is_enough_for_shapes_and_none_is_not(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    assert max(ids.shape for ids, _ in shapes(encoder, ["ship"]).values()) == (8, 16)
    with pytest.raises(DataError, match="no text has a token"):
        shapes(encoder, [])


def test_what_a_head_says_of_padding_does_not_count() -> None:
    mask = np.array([[1, 0]])
    assert gathered([np.ones((1, 2, 3))], mask)[0, :, 0].tolist() == [1, 0]
    assert gathered([np.array([[1.0, 5.0]]), np.array([[2.0, np.nan]])], mask).argmax(axis=-1).tolist() == [[0, 0]]


def test_answers_come_in_the_order_of_the_texts(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    long, short = "ship wave harbour sail whale tide", "sea"
    found = answers(
        Classification(("a", "b")),
        lambda ids, mask: np.stack([mask.sum(axis=1), np.full(len(ids), 6)], axis=1),
        encoder,
        [long, short],
    )
    assert found.tolist() == [0, 1]


def test_what_a_rung_costs_comes_with_its_interval() -> None:
    targets = np.repeat([0, 1], 50)
    worse = np.where(np.arange(100) % 10 == 0, 1 - targets, targets)
    found = compare_task(targets, worse, Bootstrap(Classification(("a", "b")), targets, 200, 0.95, seed=0))
    assert found.agreement == 0.9
    assert found.gain.value == pytest.approx(-0.1, abs=0.001)
    assert found.gain.low < found.gain.value < found.gain.high < 0
    assert set(found.metrics()) == {"macro_f1", "gain", "agreement"}
