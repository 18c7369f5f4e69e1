"""Unsupervised SimCSE: a text read twice with different dropout finds itself (Gao 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of
from components.modeling.architectures.families import FIRST_TOKEN
from components.modeling.config import SimCseConfig
from components.modeling.objectives.objective import Batch, Cost, PretrainingObjective, freeze_heads
from components.modeling.objectives.views import framed, views_of

LANGUAGE_MODEL = "masked_lm"


def build(tokenizer: PreTrainedTokenizerBase, config: SimCseConfig, document_attention: bool) -> SimCse:
    """Over a tokenizer's special tokens; a text is of one document in any case."""
    ids = (int(one) for one in (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id))
    cls_id, separator_id, pad_id = ids
    return SimCse(cls_id, separator_id, pad_id, config.temperature, config.dropout)


class SimCse(PretrainingObjective):
    """Tell which of the batch's texts is the same (cosine similarity), though other numbers were dropped from it.

    A text is what a window has of one document around a cut. Its vector is what a classifier of the architecture reads:
    the first token's, or the mean over the tokens. The vocabulary head is not trained, and not kept.
    """

    def __init__(self, cls_id: int, separator_id: int, pad_id: int, temperature: float, dropout: float) -> None:
        self.cls_id, self.separator_id, self.pad_id = cls_id, separator_id, pad_id
        self.temperature, self.dropout = temperature, dropout

    def attach(self, model: PreTrainedModel) -> None:
        for module in model.base_model.modules():
            if isinstance(module, nn.Dropout):
                module.p = self.dropout
        freeze_heads(model)

    def result(self, model: PreTrainedModel) -> PreTrainedModel:
        return cast(PreTrainedModel, model.base_model)

    def cost(self, windows: int, length: int) -> Cost:
        """Two thirds of each window are read twice; there is no vocabulary head."""
        return Cost(2 * windows, 2 * (length // 3) + 2, 0)

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> texts [2n, 2 * (length // 3) + 2] and their masks, each twice in turn."""
        views, pooled = views_of(ids, self.separator_id)
        both = views.view(len(ids), -1), pooled.view(len(ids), -1)
        texts, mask, _ = framed([both], self.cls_id, self.separator_id, self.pad_id)
        return {
            "input_ids": texts[rows].repeat_interleave(2, dim=0),
            "attention_mask": mask[rows].repeat_interleave(2, dim=0),
            "texts": len(ids),
            "tokens": 2 * texts.numel(),
        }

    def vectors(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """[2n, width], each of length 1."""
        mask = batch["attention_mask"]
        hidden: Tensor = model.base_model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        if architecture_of(model.config).pooling == FIRST_TOKEN:
            return normalize(hidden[:, 0].float(), dim=1)
        weights = mask.unsqueeze(2).float()
        return normalize((hidden.float() * weights).sum(dim=1) / weights.sum(dim=1), dim=1)

    def contrast(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Nats of each text's second reading among all [n], and whether it was the nearest [n]."""
        first, second = vectors.unflatten(0, (-1, 2)).unbind(1)
        similarity = first @ second.T / self.temperature
        same = torch.arange(len(similarity), device=similarity.device)
        return cross_entropy(similarity, same, reduction="none"), similarity.argmax(dim=1) == same

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The other texts are those of this part: micro-batches and ranks make the task easier, not the same."""
        nats, _ = self.contrast(self.vectors(model, batch))
        return nats.sum() / batch["texts"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """Nats [n] of finding itself, without dropout: how far other texts lie away; and the pairs' e^(-2 d^2)."""
        vectors = self.vectors(model, batch)
        nats, _ = self.contrast(vectors)
        apart = torch.pdist(vectors[0::2]).square()
        return nats, torch.exp(-2 * apart)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """`validation_uniformity`: the log of the mean over pairs of texts, lower is better (Wang & Isola 2020)."""
        nats, near = (torch.cat(parts).double() for parts in zip(*scores, strict=True))
        uniformity = near.mean().log().item() if len(near) else 0.0
        return {"validation_loss": nats.mean().item(), "validation_uniformity": uniformity}
