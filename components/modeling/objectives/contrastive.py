"""Contrastive language modelling: two views of a document find each other (van den Oord 2018; Izacard 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.config import ContrastiveConfig
from components.modeling.objectives.masking import MaskedLanguageModeling, masked
from components.modeling.objectives.objective import Batch, Cost, PretrainingObjective, perplexity
from components.modeling.objectives.views import views_of

LANGUAGE_MODEL = "masked_lm"


def build(
    tokenizer: PreTrainedTokenizerBase, config: ContrastiveConfig, document_attention: bool
) -> ContrastiveLanguageModeling:
    """Masked language modelling of views that also have to find each other."""
    return ContrastiveLanguageModeling(
        masked(tokenizer, config, document_attention),
        int(tokenizer.sep_token_id),
        config.temperature,
        config.contrast_weight,
    )


@dataclass(frozen=True)
class ContrastiveLanguageModeling(PretrainingObjective):
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
        similarity = left @ right.T / self.temperature
        partners = torch.arange(len(similarity), device=similarity.device)
        both = torch.cat([similarity, similarity.T]), partners.repeat(2)
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


def mean_states(hidden: Tensor, pooled: Tensor) -> Tensor:
    """Mean [n, width] of the hidden states [n, length, width] that are `pooled` [n, length]; 0 where none is."""
    weights = pooled.unsqueeze(2).float()
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
