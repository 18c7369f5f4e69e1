"""Unigram keeps what makes texts short, and every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.corpus.documents import write_shard
from components.tokenization.byte_bpe import byte_letters
from components.tokenization.unigram import _without, train_unigram
from tests.tokenization.small_corpus import EVERYTHING, Rows, documents

NAMES = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


def shard(folder: Path, rows: Rows) -> list[Path]:
    write_shard(folder / "a.parquet", documents("a", rows))
    return [folder / "a.parquet"]


def test_vocabulary_holds_special_tokens_bytes_and_frequent_words(tmp_path: Path) -> None:
    tokenizer = train_unigram(320, 2, NAMES, shard(tmp_path, EVERYTHING))
    assert [tokenizer.id_to_token(index) for index in range(4)] == NAMES
    assert set(byte_letters()) < set(tokenizer.get_vocab())
    assert 300 < tokenizer.get_vocab_size() <= 320
    assert tokenizer.encode("The cat", add_special_tokens=False).tokens == ["The", "Ġcat"]


def test_a_larger_vocabulary_makes_texts_shorter(tmp_path: Path) -> None:
    paths = shard(tmp_path, EVERYTHING)
    small, large = (train_unigram(size, 2, NAMES, paths) for size in (290, 400))
    lengths = [sum(len(tokenizer.encode(text).ids) for _, text in EVERYTHING) for tokenizer in (small, large)]
    assert lengths[1] < lengths[0]


def test_scores_are_logarithms_of_shares(tmp_path: Path) -> None:
    import math

    tokenizer = train_unigram(320, 2, NAMES, shard(tmp_path, EVERYTHING))
    scores = [score for token, score in json.loads(tokenizer.to_str())["model"]["vocab"] if token not in NAMES]
    assert math.fsum(map(math.exp, scores)) == pytest.approx(1, abs=1e-9)


def test_the_best_split_of_a_token_leaves_the_token_itself_out() -> None:
    scores = {"a": -1.0, "b": -2.0, "c": -3.0, "bc": -4.0, "abc": -0.1}
    assert _without("abc", scores) == -5.0
    assert _without("a", scores) == float("-inf")
