"""components.modeling.objectives.mlm: masking anew or always alike, of tokens or whole words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.mlm import Masking
from components.modeling.objectives.objective import WHOLE
from components.modeling.objectives.words import WordFinder

PIECES = (b"\n",) * 4 + tuple(b" word" if number % 2 == 0 else b"ing" for number in range(4, 1000))
SETTINGS = {"vocab_size": 1000, "mask_id": 3, "special_ids": (0, 1, 2, 3), "mask_probability": 0.15}
IDS = torch.randint(4, 1000, (64, 96), generator=torch.Generator().manual_seed(1))


def chosen(objective: MaskedLanguageModeling, ids: Tensor, seed: int) -> Tensor:
    """Which tokens are hidden [n, length]."""
    batch = objective.prepare(ids, torch.Generator().manual_seed(seed), WHOLE)
    places = torch.zeros(ids.numel(), dtype=torch.bool)
    places[batch["positions"]] = True
    return places.view(ids.shape)


def test_dynamic_masking_of_tokens_is_plain_masked_language_modelling() -> None:
    plain, ours = MaskedLanguageModeling(**SETTINGS), Masking(**SETTINGS)
    assert torch.equal(chosen(plain, IDS, 3), chosen(ours, IDS, 3))


def test_static_masking_hides_the_same_tokens_of_a_passage_wherever_a_window_begins() -> None:
    static = Masking(**SETTINGS, static=True)
    first, later = chosen(static, IDS, 1), chosen(static, IDS[:, 10:], 2)
    assert torch.equal(first[:, 13:], later[:, 3:])
    assert first.double().mean().item() == pytest.approx(0.15, abs=0.02)
    inputs = [static.prepare(IDS, torch.Generator().manual_seed(seed), WHOLE)["input_ids"] for seed in (1, 2)]
    assert torch.equal(*inputs)
    seen = inputs[0][first]
    assert (seen == 3).double().mean().item() == pytest.approx(0.8, abs=0.05)


def test_of_a_whole_word_all_tokens_are_hidden_or_none() -> None:
    whole = Masking(**SETTINGS, words=WordFinder(PIECES))
    hidden = chosen(whole, IDS, 1)
    continues = IDS[:, 1:] % 2 == 1
    assert torch.equal(hidden[:, 1:][continues], hidden[:, :-1][continues])
    assert hidden.double().mean().item() == pytest.approx(0.15, abs=0.03)
