"""Masked language modelling (Devlin 2019), of tokens or whole words (Cui 2019), anew each time (Liu 2019) or not."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from components.modeling.config import MlmConfig
from components.modeling.objectives.masking import MaskedLanguageModeling, masked
from components.modeling.objectives.words import WordFinder

LANGUAGE_MODEL = "masked_lm"

REACH = 4
"""Tokens, itself and those before it, that decide what becomes of a token under static masking."""
FACTORS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Of SplitMix64 (Steele 2014)."""


def build(tokenizer: PreTrainedTokenizerBase, config: MlmConfig, document_attention: bool) -> Masking:
    """Over a tokenizer's vocabulary."""
    made = masked(tokenizer, config, document_attention)
    given = {field.name: getattr(made, field.name) for field in fields(made)}
    words = WordFinder.of(tokenizer) if config.whole_word else None
    return Masking(**given, static=config.masking == "static", words=words)


@dataclass(frozen=True)
class Masking(MaskedLanguageModeling):
    """`static`: the same passage is always masked alike, as BERT's were, once, before training; else anew each time.
    `words`: all tokens of a word are chosen together; each of them becomes what it becomes by itself."""

    static: bool = False
    words: WordFinder | None = None

    def draws(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        draw, fate, noise = self._static_draws(ids) if self.static else super().draws(ids, generator)
        if self.words is not None:
            draw = draw.gather(1, self.words.first_tokens(ids))
        return draw, fate, noise

    def _static_draws(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By a hash of the last REACH tokens: windows begin elsewhere each epoch, their texts stay."""
        passage = torch.zeros_like(ids)
        for back in range(REACH):
            before = torch.nn.functional.pad(ids, (back, 0), value=0)[:, : ids.shape[1]]
            passage = _mixed(passage + before)
        draw, fate, noise = (_mixed(passage + salt) for salt in range(3))
        return _uniform(draw), _uniform(fate), noise.remainder(self.vocab_size)


def _mixed(numbers: Tensor) -> Tensor:
    """SplitMix64's step on 64-bit integers, whose products wrap around."""
    first, second, third = (factor - 2**64 if factor >= 2**63 else factor for factor in FACTORS)
    numbers = numbers + first
    numbers = (numbers ^ _right(numbers, 30)) * second
    numbers = (numbers ^ _right(numbers, 27)) * third
    return numbers ^ _right(numbers, 31)


def _right(numbers: Tensor, bits: int) -> Tensor:
    """Shifted right, zeros moved in."""
    return (numbers >> bits) & (2 ** (64 - bits) - 1)


def _uniform(numbers: Tensor) -> Tensor:
    """From 0 to below 1, by the upper 24 bits."""
    return _right(numbers, 40).float() / 2**24
