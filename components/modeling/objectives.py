"""What a language model learns from unlabelled text: the table of pretraining objectives.

An objective turns windows of token ids into a batch (on the CPU, from a generator of its own, so the step alone
decides what is masked), a batch into a loss, and the losses of the validation batches into metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of
from components.params import PretrainConfig

Batch = dict[str, Any]
"""Tensors by name, and `tokens`: how many input tokens the batch holds, as an int known without asking the device."""


class Objective(Protocol):
    """What a training minimises, and how it is validated."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The scalar to minimise on a training batch."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """What `summary` needs to know of one validation batch."""

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Metrics of the whole validation split, among them `validation_loss`."""


@dataclass(frozen=True)
class MaskedLanguageModeling:
    """Guess hidden tokens (Devlin 2019): of those chosen 80 % become the mask, 10 % a random token, 10 % stay.

    Only the chosen positions go through the vocabulary head: at 15 % that is most of the arithmetic saved.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    mask_probability: float

    def prepare(self, ids: Tensor, generator: torch.Generator) -> Batch:
        """Windows of ids [n, length] -> inputs, flat positions [m] of what was chosen, and their targets [m]."""
        draw = torch.rand(ids.shape, generator=generator)
        fate = torch.rand(ids.shape, generator=generator)
        noise = torch.randint(self.vocab_size, ids.shape, generator=generator)
        chosen = (draw < self.mask_probability) & ~torch.isin(ids, torch.tensor(self.special_ids))
        inputs = torch.where(chosen & (fate < 0.8), self.mask_id, ids)
        inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), noise, inputs)
        positions = chosen.flatten().nonzero().squeeze(1)
        return {
            "input_ids": inputs,
            "positions": positions,
            "targets": ids.flatten()[positions],
            "tokens": ids.numel(),
        }

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.target_losses(model, model.base_model(input_ids=batch["input_ids"]).last_hidden_state, batch)

    def target_losses(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """Nats [m] of the targets, from hidden states [n, length, width]."""
        chosen = hidden.flatten(0, 1).index_select(0, batch["positions"])
        logits = architecture_of(model.config).vocabulary_logits(model, chosen)
        return cross_entropy(logits.float(), batch["targets"], reduction="none")

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        # A window may hold nothing that could be masked: no target, no gradient, no nan.
        return self.losses(model, batch).sum() / max(len(batch["targets"]), 1)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses(model, batch),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


@dataclass(frozen=True)
class CausalLanguageModeling:
    """Guess every next token (Radford 2018)."""

    def prepare(self, ids: Tensor, generator: torch.Generator) -> Batch:
        """Windows of ids [n, length]; nothing here is random."""
        return {"input_ids": ids, "tokens": ids.numel()}

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False).last_hidden_state[:, :-1]
        logits = architecture_of(model.config).vocabulary_logits(model, hidden.flatten(0, 1))
        return cross_entropy(logits.float(), batch["input_ids"][:, 1:].flatten(), reduction="none")

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.losses(model, batch).mean()

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses(model, batch),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


@dataclass(frozen=True)
class ContrastiveLanguageModeling:
    """Tell which two views are of one document (van den Oord 2018; Izacard 2021, Contriever), and guess hidden tokens.

    Each window is cut where one document reaches far to both sides; a third of a window left of the cut and a third
    right of it are its two views. A view is the mean of its document's hidden states, which is also what a
    classifier reads; its partner has to be nearer (cosine) than the views of all other windows in the batch.
    """

    masked: MaskedLanguageModeling
    separator_id: int
    temperature: float
    contrast_weight: float

    def prepare(self, ids: Tensor, generator: torch.Generator) -> Batch:
        """Windows of ids [n, length] -> what the masked objective makes of views [2n, length // 3], a window's two
        after one another, and `pooled` [2n, length // 3]: which of their tokens belong to the document of the cut.
        """
        views, pooled = views_of(ids, self.separator_id)
        return {**self.masked.prepare(views, generator), "pooled": pooled}

    def losses(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Nats of the masked targets [m], nats of each view's partner [2n], and whether it was the nearest [2n]."""
        hidden = model.base_model(input_ids=batch["input_ids"]).last_hidden_state
        left, right = normalize(mean_states(hidden, batch["pooled"]), dim=1).unflatten(0, (-1, 2)).unbind(1)
        likeness = left @ right.T / self.temperature
        partners = torch.arange(len(likeness), device=likeness.device)
        both = torch.cat([likeness, likeness.T]), partners.repeat(2)
        found = both[0].argmax(dim=1) == both[1]
        return self.masked.target_losses(model, hidden, batch), cross_entropy(*both, reduction="none"), found

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        masked, contrast, _ = self.losses(model, batch)
        return masked.sum() / max(len(masked), 1) + self.contrast_weight * contrast.sum() / len(contrast)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return self.losses(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Of the masked tokens as ever; and how many views found their partner, which depends on the batch size."""
        masked, contrast, found = (torch.cat(parts).double() for parts in zip(*scores, strict=True))
        return {
            **perplexity(masked),
            "validation_contrast": contrast.mean().item(),
            "validation_found": found.mean().item(),
        }


def views_of(ids: Tensor, separator_id: int) -> tuple[Tensor, Tensor]:
    """Two views [2n, length // 3] of each window [n, length], and which of their tokens are of the cut's document.

    Of the places with room for a view on both sides, the first is taken whose document reaches furthest to its
    shorter side.
    """
    windows, length = ids.shape
    view = length // 3
    place = torch.arange(length)
    ends = ids == separator_id
    # First token of the document that a place is in, and the first separator from there on.
    begun = torch.where(ends, place + 1, 0).cummax(dim=1).values.roll(1, dims=1)
    begun[:, 0] = 0
    ended = torch.where(ends, place, length).flip(1).cummin(dim=1).values.flip(1)
    cuts = torch.arange(view, length - view)
    before = (cuts - begun[:, cuts]).clamp(max=view)
    after = (ended[:, cuts] - cuts).clamp(max=view)
    best = torch.minimum(before, after).argmax(dim=1, keepdim=True)
    offsets = torch.arange(-view, view)
    views = ids.gather(1, cuts[best] + offsets)
    pooled = (offsets >= -before.gather(1, best)) & (offsets < after.gather(1, best))
    return views.reshape(2 * windows, view), pooled.reshape(2 * windows, view)


def mean_states(hidden: Tensor, pooled: Tensor) -> Tensor:
    """Mean [n, width] of the hidden states [n, length, width] that are `pooled` [n, length]; 0 where none is."""
    weights = pooled.unsqueeze(2).float()
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


LanguageObjective = MaskedLanguageModeling | CausalLanguageModeling | ContrastiveLanguageModeling


def masked(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> MaskedLanguageModeling:
    """Masked language modelling over a tokenizer's vocabulary."""
    return MaskedLanguageModeling(
        len(tokenizer), int(tokenizer.mask_token_id), tuple(tokenizer.all_special_ids), config.mask_probability
    )


def contrastive(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> ContrastiveLanguageModeling:
    """Masked language modelling of views that also have to find each other."""
    return ContrastiveLanguageModeling(
        masked(tokenizer, config), int(tokenizer.sep_token_id), config.temperature, config.contrast_weight
    )


def causal(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> CausalLanguageModeling:
    """Causal language modelling; nothing is masked."""
    return CausalLanguageModeling()


OBJECTIVES: dict[str, Callable[[PreTrainedTokenizerBase, PretrainConfig], LanguageObjective]] = {
    "mlm": masked,
    "contrastive": contrastive,
    "clm": causal,
}


def perplexity(losses: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood in nats a token, and its exponential."""
    loss = losses.double().mean().item() if len(losses) else 0.0
    return {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
