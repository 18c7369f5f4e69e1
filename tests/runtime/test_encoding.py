from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from components.errors import ArtifactError
from components.runtime.encoding import Encoder

TEXTS = ["ship wave", "", "wheat " * 50, "海 船 浪 海", "tower"]


@pytest.fixture
def encoder(tokenizer_folder: Path) -> Encoder:
    return Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0)


def test_ids_and_masks_are_those_of_transformers(encoder: Encoder, tokenizer_folder: Path) -> None:
    theirs = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)(
        TEXTS, truncation=True, max_length=16, padding=True, return_tensors="np"
    )
    ids, mask = encoder.pad(encoder.encode(TEXTS)).values()
    assert np.array_equal(ids, theirs["input_ids"])
    assert np.array_equal(mask, theirs["attention_mask"])
    assert ids.dtype == mask.dtype == np.int64


def test_batches_hold_every_text_once_and_grow_in_length(encoder: Encoder) -> None:
    batches = list(encoder.batches(TEXTS, 2))
    assert sorted(np.concatenate([places for places, _ in batches]).tolist()) == [0, 1, 2, 3, 4]
    widths = [feeds["input_ids"].shape[1] for _, feeds in batches]
    assert widths == sorted(widths)


def test_padding_to_a_length_keeps_longer_rows_whole(encoder: Encoder) -> None:
    found = encoder.pad([[1, 7, 2], [1, 2]], length=2)
    assert found["input_ids"].tolist() == [[1, 7, 2], [1, 2, 0]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: not a tokenizer"):
        Encoder.load(tmp_path / "tokenizer.json", 16, 0)


def test_two_texts_are_encoded_as_one_row_with_the_type_of_each_token(tokenizer_folder: Path) -> None:
    pairs = [("ship wave", "tower"), ("wheat " * 50, "lamp " * 4), ("", "海")]
    theirs = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)(
        *map(list, zip(*pairs, strict=True)),
        truncation=True,
        max_length=16,
        padding=True,
        return_tensors="np",
        return_token_type_ids=True,
    )
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0, types=True)
    found = encoder.pad(encoder.encode(pairs))
    assert found.keys() == {"input_ids", "attention_mask", "token_type_ids"}
    for name, values in found.items():
        assert np.array_equal(values, theirs[name]), name
    assert encoder.pad([[1, 2]])["token_type_ids"].tolist() == [[0, 0]]
