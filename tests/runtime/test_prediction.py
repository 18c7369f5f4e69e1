from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.inference.sessions import Arrays
from components.runtime.encoding import Encoder
from components.runtime.prediction import infer_texts, softmax

LONG, SHORT = "ship wave harbour sail whale tide", "sea"


@pytest.fixture
def encoder(tokenizer_folder: Path) -> Encoder:
    return Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)


def lengths(feeds: Arrays) -> Arrays:
    """A graph of two outputs: how many tokens a row has, and that beside 6."""
    count = feeds["attention_mask"].sum(axis=1)
    return {"count": count, "logits": np.stack([count, np.full(len(count), 6)], axis=1).astype(np.float32)}


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_every_output_comes_by_name_in_the_order_of_the_texts(encoder: Encoder, batch: int) -> None:
    found = infer_texts(lengths, encoder, [LONG, SHORT, LONG], batch)
    long, short = map(len, encoder.encode([LONG, SHORT]))
    assert found["count"].tolist() == [long, short, long]
    assert (found["logits"].shape, found["logits"].dtype) == ((3, 2), np.float32)


def test_probabilities_add_up_to_one_however_large_the_logits() -> None:
    found = softmax(np.array([[1000.0, 1000.0], [0.0, -np.inf]]))
    assert found.tolist() == [[0.5, 0.5], [1.0, 0.0]]
