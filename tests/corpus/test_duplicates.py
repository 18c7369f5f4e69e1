"""A text is let through once, a held-out one never, and its split depends on nothing but itself."""

from __future__ import annotations

import pytest

from components.corpus.duplicates import Duplicates, falls_to_validation, held_out


def test_second_copy_is_a_duplicate() -> None:
    duplicates = Duplicates()
    assert [duplicates.reason_to_reject(text) for text in "aba"] == [None, None, "duplicate"]


def test_held_out_text_is_turned_away_with_its_reason_every_time() -> None:
    duplicates = Duplicates(held_out(["a"], "test"))
    assert [duplicates.reason_to_reject(text) for text in "aa"] == ["in_task_test", "in_task_test"]


def test_two_screens_of_the_same_held_out_texts_share_nothing() -> None:
    known = held_out(["a"], "test")
    Duplicates(known).reason_to_reject("b")
    assert Duplicates(known).reason_to_reject("b") is None


def test_about_the_asked_share_falls_to_validation_and_other_seeds_choose_others() -> None:
    texts = [f"document {number}" for number in range(4000)]
    chosen = {text for text in texts if falls_to_validation(text, 0.1, seed=1)}
    assert len(chosen) == pytest.approx(400, rel=0.2)
    assert chosen != {text for text in texts if falls_to_validation(text, 0.1, seed=2)}


def test_larger_validation_split_holds_the_smaller_one() -> None:
    texts = [f"document {number}" for number in range(1000)]
    small, large = ({text for text in texts if falls_to_validation(text, share, 1)} for share in (0.1, 0.3))
    assert small < large
