from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.runtime.generation.detokenizer import StreamingDetokenizer


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))


def steps(tokenizer: Tokenizer, text: str, stop: tuple[str, ...] = (), prompt: str = "ship") -> list[str]:
    """What is shown after each token of a text."""
    detokenizer = StreamingDetokenizer(tokenizer, tokenizer.encode(prompt, add_special_tokens=False).ids, stop)
    shown = []
    for token in tokenizer.encode(text, add_special_tokens=False).ids:
        detokenizer.add(token)
        shown.append(detokenizer.shown)
    return shown


def test_a_character_of_many_tokens_comes_whole_or_not_at_all(tokenizer: Tokenizer) -> None:
    shown = steps(tokenizer, "窗前𠀀 ok")
    assert len(shown) > 8
    assert all("�" not in text for text in shown)
    assert all(later.startswith(sooner) for sooner, later in pairwise(shown))
    assert shown[-1] == "窗前𠀀 ok"


def test_bytes_that_are_no_text_hold_nothing_back_for_long(tokenizer: Tokenizer) -> None:
    broken = tokenizer.token_to_id("ä")  # the byte E4: the first of three
    detokenizer = StreamingDetokenizer(tokenizer, [], ())
    for token in [broken] * 6 + tokenizer.encode(" sail", add_special_tokens=False).ids:
        detokenizer.add(token)
    assert detokenizer.shown.endswith(" sail")


def test_random_tokens_only_ever_lengthen_the_text(tokenizer: Tokenizer) -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        detokenizer, before = StreamingDetokenizer(tokenizer, [5, 6], ("ab", "船")), ""
        for token in generator.integers(4, 330, size=60):
            detokenizer.add(int(token))
            assert detokenizer.shown.startswith(before)
            before = detokenizer.shown
            if detokenizer.stopped:
                break


def test_a_stop_text_is_left_out_and_its_beginning_is_held_back(tokenizer: Tokenizer) -> None:
    shown = steps(tokenizer, " wave END more", stop=("END",))
    assert all("E" not in text for text in shown)
    assert shown[-1] == " wave "


def test_a_stop_text_is_found_wherever_tokens_cut_it(tokenizer: Tokenizer) -> None:
    """As by looking through the whole text after each token, which takes a long text a long time."""
    generator = np.random.default_rng(5)
    for _ in range(30):
        stop = tuple("".join(generator.choice(["a", "b"], size=size)) for size in generator.integers(1, 6, size=2))
        text, before = " " + "".join(generator.choice(["a", "b"], size=40)), ""
        for token in tokenizer.encode(text, add_special_tokens=False).ids:
            before += tokenizer.decode([token])
            if any(one in before for one in stop):
                break
        first = min((before.find(one) for one in stop if one in before), default=len(before))
        detokenizer = StreamingDetokenizer(tokenizer, tokenizer.encode("ship", add_special_tokens=False).ids, stop)
        for token in tokenizer.encode(text, add_special_tokens=False).ids:
            detokenizer.add(token)
            held = max(
                (size for one in stop for size in range(1, len(one)) if detokenizer.text.endswith(one[:size])),
                default=0,
            )
            assert detokenizer.stopped or detokenizer.shown == detokenizer.text[: len(detokenizer.text) - held]
        assert detokenizer.text == before[:first]


def test_a_long_stop_text_costs_a_token_no_more_than_a_short_one(tokenizer: Tokenizer) -> None:
    """Looked at are characters: of each stop text no more than stand at the text's end, in place of all its halves."""
    counted = 0

    class Counting(str):
        def __getitem__(self, part: Any) -> str:
            nonlocal counted
            found = str.__getitem__(self, part)
            counted += len(found)
            return found

    detokenizer = StreamingDetokenizer(tokenizer, [], (Counting("ab" * 50_000),))
    for token in tokenizer.encode(" wave wave", add_special_tokens=False).ids:
        detokenizer.add(token)
        assert detokenizer.shown == detokenizer.text
    assert counted < 1000


def test_what_only_looked_like_a_stop_text_is_shown_after_all(tokenizer: Tokenizer) -> None:
    assert steps(tokenizer, " wave EN", stop=("END",))[-1] == " wave "
    assert steps(tokenizer, " wave ENOUGH", stop=("END",))[-1] == " wave ENOUGH"
