from __future__ import annotations

from pathlib import Path

import numpy as np

from components.deployment.encoding import Encoder
from components.deployment.parity import compare, shapes

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


def test_shapes_go_from_one_row_to_many_and_from_short_to_full_length(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    found = [ids.shape for ids, _ in shapes(encoder, [("ship " * n).strip() for n in range(40)]).values()]
    assert {rows for rows, _ in found} >= {1, 3, 8, 32}
    assert min(length for _, length in found) < 4
    assert max(length for _, length in found) == 16


def test_one_text_is_enough_for_shapes(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    assert all(mask.any() for _, mask in shapes(encoder, ["ship"]).values())
