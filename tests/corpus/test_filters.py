"""Each filter turns away what its name says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.filters import FILTERS, reason_to_reject
from components.params import load_params

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate.model_copy(
    update={
        "min_characters": 10,
        "max_characters": 100,
        "min_letter_share": 0.5,
        "max_repeated_line_share": 0.3,
        "validation_fraction": 0.1,
    }
)
EXAMPLES = {
    "empty": "",
    "too_short": "nine char",
    "too_long": "a word " * 20,
    "few_letters": "1234567890 x",
    "repeated_lines": "the same line\nanother line\nthe same line\n the same line",
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter_turns_away_its_example(name: str) -> None:
    assert reason_to_reject(EXAMPLES[name], CONFIG) == name


@pytest.mark.parametrize("text", ["An ordinary sentence.", "白日依山盡，黃河入海流。", "a\nb\nc\nd\n\n\n\nand then"])
def test_ordinary_text_is_kept(text: str) -> None:
    assert reason_to_reject(text, CONFIG) is None


def test_bounds_are_kept_themselves() -> None:
    assert reason_to_reject("x" * 10, CONFIG) is None
    assert reason_to_reject("x" * 100, CONFIG) is None
    assert reason_to_reject("x" * 5 + "1" * 5, CONFIG) is None
