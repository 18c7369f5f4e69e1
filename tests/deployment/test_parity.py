from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.parity import answers, compare, compare_task, shapes, without_padding
from components.errors import DataError
from components.evaluation.metrics import Bootstrap
from components.inference.sessions import Arrays
from components.runtime.encoding import Encoder
from components.tasks.classification import Classification

OUTPUTS = {"logits": ("batch", "")}


def feeds(ids: list[list[int]]) -> Arrays:
    return {"input_ids": np.array(ids), "attention_mask": np.ones_like(ids)}


BATCHES = {"one row": feeds([[1, 2]]), "two rows": feeds([[3, 4], [5, 6]])}


def logits(given: Arrays) -> dict[str, np.ndarray]:
    ids, mask = given["input_ids"], given["attention_mask"]
    return {"logits": np.stack([ids.sum(axis=1), (ids * mask).max(axis=1)], axis=1).astype(np.float32)}


def test_a_rung_is_no_distance_from_itself() -> None:
    parity = compare(logits, logits, BATCHES, OUTPUTS)
    assert (parity.max_difference, parity.mean_difference, parity.agreement) == (0, 0, 1)


def test_the_shape_with_the_largest_difference_is_named() -> None:
    def wrong_for_two(given: Arrays) -> Arrays:
        return {"logits": logits(given)["logits"] + (0.5 if len(given["input_ids"]) == 2 else 0.0)}

    parity = compare(logits, wrong_for_two, BATCHES, OUTPUTS)
    assert parity.worst_shape == "two rows"
    assert parity.max_difference == 0.5
    assert parity.metrics() == {"max_difference": 0.5, "mean_difference": 0.333, "agreement": 1.0}


def test_not_a_number_is_an_infinite_difference() -> None:
    nothing = compare(logits, lambda given: {"logits": logits(given)["logits"] * np.nan}, BATCHES, OUTPUTS)
    assert nothing.max_difference == np.inf


def test_another_answer_counts_against_agreement() -> None:
    exchanged = compare(logits, lambda given: {"logits": logits(given)["logits"][:, ::-1]}, BATCHES, OUTPUTS)
    assert exchanged.agreement == 0


def test_every_output_counts_whatever_it_is_called_and_no_other() -> None:
    def one(given: Arrays) -> Arrays:
        return {"start": given["input_ids"] / 10, "end": given["input_ids"] / 10, "hidden": given["input_ids"]}

    def other(given: Arrays) -> Arrays:
        return one(given) | {"end": -given["input_ids"] / 10, "hidden": given["input_ids"] * 9}

    parity = compare(one, other, BATCHES, {"start": ("batch", "length"), "end": ("batch", "length")})
    assert (parity.max_difference, parity.agreement) == (1.2, 0.5)


def test_shapes_go_from_one_row_to_many_and_from_one_token_to_full_length(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    batches = shapes(encoder, [("ship " * n).strip() for n in range(40)]).values()
    found = [given["input_ids"].shape for given in batches]
    assert {rows for rows, _ in found} == {1, 3, 8, 32}
    for size in (1, 3, 8):
        assert {length for rows, length in found if rows == size} >= {1, 2, 4, 8, 16}


def test_padding_stands_on_the_right_and_no_row_is_padding_alone(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    for given in shapes(encoder, ["ship and sea", "海船"]).values():
        ids, mask = given["input_ids"], given["attention_mask"]
        assert (mask[:, 0] == 1).all()
        assert (np.diff(mask, axis=1) <= 0).all()
        assert (ids[mask == 0] == 0).all()


def test_one_text_is_enough_for_shapes_and_none_is_not(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    assert max(given["input_ids"].shape for given in shapes(encoder, ["ship"]).values()) == (8, 16)
    with pytest.raises(DataError, match="no text has a token"):
        shapes(encoder, [])


def test_what_a_head_says_of_padding_does_not_count() -> None:
    given = {"attention_mask": np.array([[1, 0]])}
    made = {"tags": np.ones((1, 2, 3)), "start": np.array([[2.0, np.nan]]), "label": np.ones((1, 2))}
    outputs = {"tags": ("batch", "length", ""), "start": ("batch", "length"), "label": ("batch", "")}
    found = without_padding(made, given, outputs)
    assert found["tags"][0, :, 0].tolist() == [1, 0]
    assert found["start"].argmax(axis=-1).tolist() == [0]
    assert found["label"].tolist() == [[1, 1]]


def test_answers_come_in_the_order_of_the_texts(tokenizer_folder: Path) -> None:
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)
    long, short = "ship wave harbour sail whale tide", "sea"

    def lengths(given: Arrays) -> Arrays:
        tokens = given["attention_mask"].sum(axis=1)
        return {"logits": np.stack([tokens, np.full(len(tokens), 6)], axis=1)}

    assert answers(Classification(("a", "b")), lengths, encoder, [long, short]).tolist() == [0, 1]


def test_what_a_rung_costs_comes_with_its_interval() -> None:
    targets = np.repeat([0, 1], 50)
    worse = np.where(np.arange(100) % 10 == 0, 1 - targets, targets)
    found = compare_task(targets, worse, Bootstrap(Classification(("a", "b")), targets, 200, 0.95, seed=0))
    assert found.agreement == 0.9
    assert found.gain.value == pytest.approx(-0.1, abs=0.001)
    assert found.gain.low < found.gain.value < found.gain.high < 0
    assert set(found.metrics()) == {"macro_f1", "gain", "agreement"}
