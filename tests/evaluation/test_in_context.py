"""Classification by the words of labels, on a small language model that has learned none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.deployment.generation.scores import torch_scores
from components.errors import ParameterError
from components.evaluation.in_context import InContext, LabelPrompt, balanced_shots, with_shots
from components.runtime.generation.generator import Generator, load_generator
from components.tasks.generation import PART

TEMPLATE = "{text}\nplace: {label}"
WORDS = {"city": "city", "sea": "ship wave"}
ROWS = [{"text": f"{text} {number}", "label": label} for number in range(3) for label, text in WORDS.items()]


@pytest.fixture
def asked(decoder_bundle: Path) -> InContext:
    return InContext(load_generator(decoder_bundle, "fp32"), LabelPrompt(TEMPLATE, WORDS))


def test_a_label_has_the_probability_of_its_words_in_pytorch(asked: InContext, decoder_bundle: Path) -> None:
    """Of words of several tokens the sum of their logarithms, without that of an end."""
    found = asked.scores(["sail"])
    score = torch_scores(decoder_bundle.parent / "gpt2", asked.generator.max_length)
    losses = score([f"sail\nplace:{PART} {word}" for word in WORDS.values()])[..., 0]
    expected = [-row[~np.isnan(row)][:-1].sum() for row in losses]
    np.testing.assert_allclose(found, [expected], atol=1e-4)
    assert asked.predict(["sail"]).tolist() == [int(np.argmax(expected))]


def test_calibrated_no_text_has_the_same_score_for_all(asked: InContext) -> None:
    even = InContext(asked.generator, asked.prompt, calibrated=True).scores([""])
    np.testing.assert_allclose(even, [[0.0, 0.0]], atol=1e-5)


def test_examples_stand_before_the_question() -> None:
    shots = [{"text": "ship", "label": "sea"}]
    first, second = LabelPrompt(TEMPLATE, WORDS, shots).asked("tower")
    before = "ship\nplace: ship wave\n\ntower\nplace:"
    assert (first, second) == (f"{before}{PART} city", f"{before}{PART} ship wave")


def test_examples_are_of_every_label_in_turn_and_drawn_by_the_seed() -> None:
    shots = balanced_shots(ROWS, ["city", "sea"], 2, seed=1)
    assert [row["label"] for row in shots] == ["city", "sea", "city", "sea"]
    assert shots == balanced_shots(ROWS[::-1], ["city", "sea"], 2, seed=1)


def test_a_long_text_is_cut_and_a_prompt_without_room_is_refused(asked: InContext) -> None:
    assert asked.scores(["ship wave " * 400]).shape == (1, 2)
    assert with_shots(asked, [{"text": "ship wave " * 400, "label": "sea"}]).scores(["sail"]).shape == (1, 2)
    long = LabelPrompt("place " * 400 + TEMPLATE, WORDS)
    with pytest.raises(ParameterError, match=r"no room for a text\na shorter template"):
        InContext(asked.generator, long).scores(["sail"])


@pytest.mark.parametrize(
    ("template", "words", "told"),
    [("{text}", WORDS, "at its end"), ("{label}: {text}", WORDS, "at its end"), (TEMPLATE, {"sea": " "}, "no word")],
)
def test_a_prompt_that_asks_nothing_is_refused(template: str, words: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        LabelPrompt(template, words)


def test_an_encoder_decoder_is_refused(translator: Generator) -> None:
    with pytest.raises(ParameterError, match="is an encoder-decoder, which carries no prompt on"):
        InContext(translator, LabelPrompt(TEMPLATE, WORDS))
