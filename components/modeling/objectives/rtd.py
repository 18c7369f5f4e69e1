"""Replaced token detection (Clark 2020, ELECTRA)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import LANGUAGE_MODELS, head_of
from components.modeling.config import ReplacedTokenConfig
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.loading import random_model
from components.modeling.objectives.masking import MaskedLanguageModeling, masked
from components.modeling.objectives.objective import Batch, Cost, PretrainingObjective, freeze_heads, perplexity

LANGUAGE_MODEL = "masked_lm"

CHUNK_ROWS = 256
"""Rows of the vocabulary's probabilities that are in memory at a time."""
GRAIN = 2**40
"""What a probability of 1 is as an integer: sums of integers are the same in any order."""


def build(
    tokenizer: PreTrainedTokenizerBase, config: ReplacedTokenConfig, document_attention: bool
) -> ReplacedTokenDetection:
    """Over a tokenizer's vocabulary."""
    return ReplacedTokenDetection(
        masked(tokenizer, config, document_attention), config.generator_depth, config.detection_weight
    )


class ReplacedTokenDetection(nn.Module, PretrainingObjective):
    """A generator guesses hidden tokens; the model tells which of all tokens it has replaced.

    The generator is the same architecture as wide, with fewer layers (He 2021, DeBERTaV3, where ELECTRA's is narrower),
    and has the model's own token embeddings. The model is what is kept, without a head.
    """

    generator: PreTrainedModel
    head: nn.Sequential

    def __init__(self, masked: MaskedLanguageModeling, generator_depth: float, detection_weight: float) -> None:
        super().__init__()
        self.masked, self.generator_depth, self.detection_weight = masked, generator_depth, detection_weight

    def attach(self, model: PreTrainedModel) -> None:
        config = copy.deepcopy(model.config)
        config.num_hidden_layers = math.ceil(config.num_hidden_layers * self.generator_depth)
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: config.num_hidden_layers]
        self.generator = random_model(LANGUAGE_MODELS[LANGUAGE_MODEL], config)
        self.generator.set_input_embeddings(model.get_input_embeddings())
        self.generator.tie_weights()
        width = config.hidden_size
        dense, last = nn.Linear(width, width), nn.Linear(width, 1)
        self.head = nn.Sequential(dense, nn.GELU(), last)
        for layer in (dense, last):
            nn.init.normal_(layer.weight, std=config.initializer_range)
            nn.init.zeros_(layer.bias)
        freeze_heads(model)

    def result(self, model: PreTrainedModel) -> PreTrainedModel:
        return cast(PreTrainedModel, model.base_model)

    def cost(self, windows: int, length: int) -> Cost:
        """As the masked language modelling of the generator; the head of the model is a matrix as wide as it."""
        return self.masked.cost(windows, length)

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> what masking chooses, all of it hidden, and `draws` [m], uniform numbers that
        decide what the generator answers there: a step's number alone decides them, in a validation too."""
        batch = self.masked.prepare(ids, generator, rows)
        draws = torch.rand(ids.shape, generator=generator)[rows].flatten()[batch["positions"]]
        hidden = ids[rows].flatten().index_fill(0, batch["positions"], self.masked.mask_id)
        return {**batch, "input_ids": hidden.view(-1, ids.shape[1]), "draws": draws}

    def guesses(self, batch: Batch) -> Tensor:
        """What the generator's vocabulary head reads [m, width]."""
        return self.masked.chosen(self.generator, self.masked.hidden(self.generator, batch), batch)

    def detection(self, model: PreTrainedModel, batch: Batch, sampled: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, length] that a token was replaced, and whether it was [n, length]; one that is sampled as it
        stood was not."""
        shape, positions = batch["input_ids"].shape, batch["positions"]
        shown, real = (
            batch["input_ids"].flatten().index_copy(0, positions, put).view(shape)
            for put in (sampled, batch["targets"])
        )
        hidden = self.masked.hidden(model, {**batch, "input_ids": shown})
        return self.head(hidden).squeeze(2).float(), shown != real

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states = self.guesses(batch)
        guessed = chunked_cross_entropy(states, head_of(self.generator), batch["targets"]) / batch["count"]
        sampled = samples(states, head_of(self.generator), batch["draws"])
        logits, replaced = self.detection(model, batch, sampled)
        detected = binary_cross_entropy_with_logits(logits, replaced.float(), reduction="sum") / batch["tokens"]
        return guessed + self.detection_weight * detected

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """Nats of the generator's targets [m] and of every token's detection [k], which were replaced, and which were
        thought to be."""
        states = self.guesses(batch)
        logits, replaced = self.detection(model, batch, samples(states, head_of(self.generator), batch["draws"]))
        nats = binary_cross_entropy_with_logits(logits, replaced.float(), reduction="none")
        guessed = row_losses(states, head_of(self.generator), batch["targets"])
        return guessed, nats.flatten(), replaced.flatten(), (logits > 0).flatten()

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """validation_loss of the generator, which can be compared with other objectives'; of the model the nats a token
        of its detection, the share of tokens replaced, and F1 of finding them."""
        guessed, nats, replaced, found = (torch.cat(parts).double() for parts in zip(*scores, strict=True))
        both = (replaced * found).sum().item()
        return {
            **perplexity(guessed),
            "validation_detection": nats.mean().item(),
            "validation_replaced": replaced.mean().item(),
            "validation_detection_f1": 2 * both / max((replaced.sum() + found.sum()).item(), 1.0),
        }


@torch.no_grad()
def samples(states: Tensor, head: nn.Linear, draws: Tensor) -> Tensor:
    """Tokens [m] drawn from the probabilities that a head gives states [m, width], by uniform numbers [m]."""
    drawn = [torch.zeros(0, dtype=torch.long, device=states.device)]
    for rows, numbers in zip(states.split(CHUNK_ROWS), draws.split(CHUNK_ROWS), strict=True):
        likely = linear(rows.float(), head.weight, head.bias).float().softmax(dim=1)
        edges = (likely.double() * GRAIN).long().cumsum(dim=1)
        reached = (numbers.double() * edges[:, -1]).long()
        drawn.append(torch.searchsorted(edges, reached[:, None], right=True).squeeze(1).clamp(max=edges.shape[1] - 1))
    return torch.cat(drawn)
