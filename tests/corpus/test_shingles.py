"""A unit is a word or a Han character; n-grams are told apart by what they hold and by its order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from components.corpus.shingles import Runs, mixed, n_grams, n_grams_of_all, units


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("。 … —", 0),
        ("One cat's 3 toys", 5),
        ("白日依山盡", 5),
        ("用Python寫的3行", 6),
        ("𠀀㐀", 2),
        ("ひらがな", 4),
    ],
)
def test_words_and_han_characters_are_units(text: str, count: int) -> None:
    assert len(units(text)) == count


def test_case_space_and_punctuation_make_no_difference() -> None:
    assert units("To be, or NOT to be!").tolist() == units("to  be or\nnot — to be").tolist()
    assert units("白日 依山盡").tolist() == units("白日依山盡。").tolist()


def test_order_makes_a_difference() -> None:
    one, other = n_grams(units("a b c"), 2), n_grams(units("b a c"), 2)
    assert len(one) == 2
    assert not np.intersect1d(one, other).size


def test_short_text_is_one_n_gram_and_empty_text_none() -> None:
    assert n_grams(units("a b"), 5).tolist() == n_grams(units("a b"), 2).tolist()
    assert len(n_grams(units(""), 5)) == 0


def test_mixing_changes_about_half_of_the_bits() -> None:
    changed = mixed(np.arange(1000, dtype=np.uint64)) ^ mixed(np.arange(1, 1001, dtype=np.uint64))
    assert np.unpackbits(changed.view(np.uint8)).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("texts", [["a b c", "b c d e", "x y"], ["a b c", "b"], ["a"]])
def test_n_grams_of_several_texts_are_those_of_each(texts: list[str]) -> None:
    hashes = [units(text) for text in texts]
    found, counts = n_grams_of_all(hashes, 2)
    assert found.tolist() == np.concatenate([n_grams(each, 2) for each in hashes]).tolist()
    assert counts.tolist() == [len(n_grams(each, 2)) for each in hashes]


def test_runs_with_the_same_characters_have_the_same_hash() -> None:
    words = ["ab", "c", "a", "bc", "ab", "𠀀"]
    runs = Runs("".join(words), np.cumsum([0, *map(len, words)]))
    pairs = ["".join(pair) for pair in itertools.pairwise(words)]
    hashes = runs.hashes(2).tolist()
    assert runs.lengths(2).tolist() == [len(pair) for pair in pairs]
    assert [hashes.index(one) for one in hashes] == [pairs.index(pair) for pair in pairs]


def test_units_of_ascii_are_those_of_any_text() -> None:
    text = "The_quick 2nd fox's JUMP-over, 3.14\tof\nDogs"
    assert units(text).tolist() == units(f"{text} …").tolist()
