"""Near duplicates are found and point to the first of their cluster; what merely resembles stays."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from components.corpus.near_duplicates import WIDTH, find_near_duplicates, repeated, signatures, similarity
from components.corpus.shingles import n_grams, units
from components.params import load_params

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate
WORDS = [f"{first}{last}" for first in ("ka", "lo", "mi", "nu", "re") for last in ("ban", "del", "fis", "gor", "hum")]
HAN = "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽雲騰致雨露結為霜金生麗水玉出崑岡"


def text(seed: int, length: int = 150, words: list[str] | str = WORDS) -> list[str]:
    chance = random.Random(seed)
    return [chance.choice(words) + (str(chance.randrange(40)) if words is WORDS else "") for _ in range(length)]


def changed(words: list[str], places: list[int]) -> list[str]:
    return [f"other{place}" if place in places else word for place, word in enumerate(words)]


def found(texts: list[str]) -> list[int]:
    return find_near_duplicates([signatures(texts, ["en"] * len(texts), CONFIG)], CONFIG).tolist()


def test_repeated_documents_point_to_the_first_of_their_cluster() -> None:
    first = text(1)
    again = changed(first, [3])
    texts = [text(0), first, text(2), again, changed(again, [90])]
    assert found([" ".join(words) for words in texts]) == [-1, -1, -1, 1, 1]


@pytest.mark.parametrize("words", [WORDS, HAN])
def test_estimate_is_near_the_jaccard_similarity(words: list[str] | str) -> None:
    glue = "" if words is HAN else " "
    for seed, part in enumerate((0.9, 0.6, 0.3)):
        one = text(seed, 400, words)
        other = one[: round(400 * part)] + text(seed + 10, round(400 * (1 - part)), words)
        pair = [glue.join(one), glue.join(other)]
        sets = [set(n_grams(units(each), 2).tolist()) for each in pair]
        exact = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        signed = signatures(pair, ["", ""], CONFIG)
        assert similarity(signed[:1], signed[1:])[0] == pytest.approx(exact, abs=0.1)


def test_one_changed_word_makes_a_long_text_a_duplicate_but_not_a_formula() -> None:
    long = text(5)
    assert found([" ".join(long), " ".join(changed(long, [70]))]) == [-1, 0]
    assert found(["A document about the number 7.", "A document about the number 8."]) == [-1, -1]
    assert found(["The capital of France is Paris.", "The capital of Spain is Madrid."]) == [-1, -1]


def test_short_poems_are_duplicates_only_when_they_are_the_same() -> None:
    poem = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"
    variant = poem.replace("一層", "數層")
    other = "白日依山盡，玄武向東流。\n誰知萬里客，更上越王樓。"
    assert found([poem, variant, other, poem.replace("，", " ")]) == [-1, -1, -1, 0]


def test_texts_without_units_are_never_duplicates() -> None:
    assert found(["", "", "…", "…"]) == [-1, -1, -1, -1]
    assert find_near_duplicates([], CONFIG).tolist() == []


def test_blocks_make_no_difference() -> None:
    texts = [" ".join(text(seed % 9)) for seed in range(30)]
    whole = signatures(texts, [""] * 30, CONFIG)
    assert whole.shape == (30, WIDTH)
    parts = [signatures(texts[start : start + 7], [""] * 7, CONFIG) for start in range(0, 30, 7)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert (
        find_near_duplicates(parts, CONFIG).tolist()
        == find_near_duplicates([whole], CONFIG).tolist()
        == [-1] * 9 + [n % 9 for n in range(9, 30)]
    )


def test_more_similarity_asked_finds_fewer() -> None:
    one = text(7)
    pair = [" ".join(one), " ".join(changed(one, list(range(0, 150, 10))))]
    assert found(pair) == [-1, 0]
    strict = CONFIG.model_copy(update={"near_duplicate_similarity": 0.9})
    assert find_near_duplicates([signatures(pair, ["", ""], strict)], strict).tolist() == [-1, -1]


def test_repeated_values_are_those_that_occur_twice() -> None:
    assert repeated(np.array([5, 3, 9, 5, 3, 5, 1], np.uint32)).tolist() == [0, 1, 3, 4, 5]
    assert repeated(np.array([], np.uint32)).tolist() == []


def test_chains_of_pairs_point_to_their_first_document() -> None:
    chance = random.Random(3)
    base = [text(seed) for seed in range(4)]
    texts = [changed(chance.choice(base), [chance.randrange(150)]) for _ in range(60)]
    clusters = [next(place for place, one in enumerate(base) if len(set(one) & set(each)) > 100) for each in texts]
    firsts = [clusters.index(cluster) for cluster in clusters]
    assert found([" ".join(words) for words in texts]) == [
        -1 if place == first else first for place, first in enumerate(firsts)
    ]
