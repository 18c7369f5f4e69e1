"""A document's split depends on its text and the seed, on nothing else."""

from __future__ import annotations

import pytest

from components.corpus.splits import falls_to_validation


def test_about_the_asked_share_falls_to_validation_and_other_seeds_choose_others() -> None:
    texts = [f"document {number}" for number in range(4000)]
    chosen = {text for text in texts if falls_to_validation(text, 0.1, seed=1)}
    assert len(chosen) == pytest.approx(400, rel=0.2)
    assert chosen != {text for text in texts if falls_to_validation(text, 0.1, seed=2)}


def test_larger_validation_split_holds_the_smaller_one() -> None:
    texts = [f"document {number}" for number in range(1000)]
    small, large = ({text for text in texts if falls_to_validation(text, share, 1)} for share in (0.1, 0.3))
    assert small < large
