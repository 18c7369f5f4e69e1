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

from components.modeling.architectures import architecture_of, head_of
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.packing import document_inputs, starts_of
from components.params import PretrainConfig

Batch = dict[str, Any]
"""A part of a step's global batch: tensors by name, and two ints known without asking the device.

`tokens`: input tokens of the whole global batch. `count`: what its losses are summed over, likewise: a part's loss is
a sum divided by it, so the parts' losses add up to the same number however the batch was divided.
"""

WHOLE = slice(None)
"""All rows of a batch: what is not divided."""


@dataclass(frozen=True)
class Cost:
    """What a model has to do for some windows: `rows` of `length` tokens each to read, and about how many positions go
    through the vocabulary head."""

    rows: int
    length: int
    head_positions: int

    @property
    def tokens(self) -> int:
        """Tokens the model reads."""
        return self.rows * self.length


class Objective(Protocol):
    """What a training minimises, and how it is validated."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The part's share of the scalar to minimise: its sum over `batch["count"]`."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """What `summary` needs to know of one validation batch."""

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Metrics of the whole validation split, among them `validation_loss`."""


@dataclass(frozen=True)
class MaskedLanguageModeling:
    """Guess hidden tokens (Devlin 2019): of those chosen 80 % become the mask, 10 % a random token, 10 % stay.

    Only the chosen positions go through the vocabulary head: at 15 % that is most of its arithmetic saved.
    `document_end`: the token behind which another document begins, unread by the one before; None: all is one text.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    mask_probability: float
    document_end: int | None = None

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length; special tokens, which are never chosen, are counted as any other."""
        return Cost(windows, length, round(windows * length * self.mask_probability))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows inputs, flat positions [m] of the chosen, targets [m]."""
        draw = torch.rand(ids.shape, generator=generator)
        fate = torch.rand(ids.shape, generator=generator)
        noise = torch.randint(self.vocab_size, ids.shape, generator=generator)
        chosen = (draw < self.mask_probability) & ~torch.isin(ids, torch.tensor(self.special_ids))
        inputs = torch.where(chosen & (fate < 0.8), self.mask_id, ids)
        inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), noise, inputs)
        positions = chosen[rows].flatten().nonzero().squeeze(1)
        return {
            "input_ids": inputs[rows],
            "positions": positions,
            "targets": ids[rows].flatten()[positions],
            # A window may hold nothing that could be masked: no target, no gradient, no nan.
            "count": max(int(chosen.sum()), 1),
            "tokens": ids.numel(),
            **_starts(ids[rows], self.document_end),
        }

    def hidden(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Last hidden states [n, length, width]."""
        apart = _documents_apart(model, batch, causal=False)
        states: Tensor = model.base_model(input_ids=batch["input_ids"], **apart).last_hidden_state
        return states

    def chosen(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of the chosen positions."""
        chosen = hidden.flatten(0, 1).index_select(0, batch["positions"])
        return architecture_of(model.config).before_head(model, chosen)

    def loss_of(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """The part's share of the loss, from its hidden states."""
        states = self.chosen(model, hidden, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"]) / batch["count"]

    def losses_of(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """Nats [m] of the targets, without gradients."""
        return row_losses(self.chosen(model, hidden, batch), head_of(model), batch["targets"])

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.loss_of(model, self.hidden(model, batch), batch)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses_of(model, self.hidden(model, batch), batch),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


@dataclass(frozen=True)
class CausalLanguageModeling:
    """Guess every next token (Radford 2018).

    `document_end`: as for masked tokens. What comes behind it is the beginning of another document, and not guessed.
    """

    document_end: int | None = None

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length; all but the last token of each have a next one."""
        return Cost(windows, length, windows * (length - 1))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows ids, flat positions [m] with a next token, and those tokens [m].

        Nothing here is random.
        """
        followed = torch.ones_like(ids, dtype=torch.bool) if self.document_end is None else ids != self.document_end
        followed[:, -1] = False
        positions = followed[rows].flatten().nonzero().squeeze(1)
        return {
            "input_ids": ids[rows],
            "positions": positions,
            "targets": ids[rows].flatten()[positions + 1],
            "count": max(int(followed.sum()), 1),
            "tokens": ids.numel(),
            **_starts(ids[rows], self.document_end),
        }

    def states(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of every position with a next token."""
        apart = _documents_apart(model, batch, causal=True)
        hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False, **apart).last_hidden_state
        return architecture_of(model.config).before_head(
            model, hidden.flatten(0, 1).index_select(0, batch["positions"])
        )

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states = self.states(model, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"]) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (row_losses(self.states(model, batch), head_of(model), batch["targets"]),)

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

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length: two views of each are read, and masked, instead of the window."""
        return self.masked.cost(2 * windows, length // 3)

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> what the masked objective makes of views [2n, length // 3], a window's two
        after one another, and `pooled` [2n, length // 3]: which of their tokens belong to the document of the cut.
        """
        views, pooled = views_of(ids, self.separator_id)
        start, stop, _ = rows.indices(len(ids))
        both = slice(2 * start, 2 * stop)
        return {**self.masked.prepare(views, generator, both), "pooled": pooled[both], "views": len(views)}

    def contrast(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Nats of each view's partner [2n], and whether it was the nearest [2n]."""
        left, right = normalize(mean_states(hidden, batch["pooled"]), dim=1).unflatten(0, (-1, 2)).unbind(1)
        likeness = left @ right.T / self.temperature
        partners = torch.arange(len(likeness), device=likeness.device)
        both = torch.cat([likeness, likeness.T]), partners.repeat(2)
        return cross_entropy(*both, reduction="none"), both[0].argmax(dim=1) == both[1]

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The other windows are those of this part: micro-batches and ranks make the task easier, not the same."""
        hidden = self.masked.hidden(model, batch)
        contrast, _ = self.contrast(hidden, batch)
        return self.masked.loss_of(model, hidden, batch) + self.contrast_weight * contrast.sum() / batch["views"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """Nats of the masked targets [m], nats of each view's partner [2n], and whether it was the nearest [2n]."""
        hidden = self.masked.hidden(model, batch)
        return self.masked.losses_of(model, hidden, batch), *self.contrast(hidden, batch)

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
    begun = starts_of(ids, separator_id)
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


def _starts(ids: Tensor, document_end: int | None) -> Batch:
    """Where the documents begin, for those objectives that keep them apart."""
    return {} if document_end is None else {"starts": starts_of(ids, document_end)}


def _documents_apart(model: PreTrainedModel, batch: Batch, causal: bool) -> dict[str, Any]:
    return document_inputs(model.config, batch["starts"], causal) if "starts" in batch else {}


LanguageObjective = MaskedLanguageModeling | CausalLanguageModeling | ContrastiveLanguageModeling


def masked(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> MaskedLanguageModeling:
    """Masked language modelling over a tokenizer's vocabulary."""
    return MaskedLanguageModeling(
        len(tokenizer),
        int(tokenizer.mask_token_id),
        tuple(tokenizer.all_special_ids),
        config.mask_probability,
        _document_end(tokenizer, config),
    )


def contrastive(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> ContrastiveLanguageModeling:
    """Masked language modelling of views that also have to find each other."""
    return ContrastiveLanguageModeling(
        masked(tokenizer, config), int(tokenizer.sep_token_id), config.temperature, config.contrast_weight
    )


def causal(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> CausalLanguageModeling:
    """Causal language modelling; nothing is masked."""
    return CausalLanguageModeling(_document_end(tokenizer, config))


def _document_end(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> int | None:
    return int(tokenizer.sep_token_id) if config.document_attention else None


OBJECTIVES: dict[str, Callable[[PreTrainedTokenizerBase, PretrainConfig], LanguageObjective]] = {
    "mlm": masked,
    "contrastive": contrastive,
    "clm": causal,
}


def perplexity(losses: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood in nats a token, and its exponential."""
    loss = losses.double().mean().item() if len(losses) else 0.0
    return {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
