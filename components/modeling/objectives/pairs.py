"""Two segments side by side: what next sentence prediction and sentence order have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of
from components.modeling.config import MaskedConfig
from components.modeling.objectives.masking import MaskedLanguageModeling, masked
from components.modeling.objectives.objective import Batch, Cost, PretrainingObjective, perplexity
from components.modeling.objectives.views import framed, views_of

POOLER = "pooler.dense"
"""The pooler's name inside a backbone."""
Span = tuple[Tensor, Tensor]
"""Ids [n, view], and which of them are of the span's document."""


class SentencePairs(nn.Module, PretrainingObjective):
    """Guess hidden tokens of two segments, and how the segments belong together (Devlin 2019; Lan 2020).

    Both are spans of one document, not sentences in the grammatical sense, which BERT's are not either. The guess is
    made of the first token, through a pooler, which BERT's classifiers go on with.
    """

    metric: str
    """What the guess is called in metrics."""
    pooler: nn.Linear
    classifier: nn.Linear

    def __init__(self, masked: MaskedLanguageModeling, cls_id: int, separator_id: int, pad_id: int) -> None:
        super().__init__()
        self.masked, self.cls_id, self.separator_id, self.pad_id = masked, cls_id, separator_id, pad_id
        self.keeps_pooler = False

    @abstractmethod
    def paired(self, left: Span, right: Span, generator: torch.Generator) -> tuple[Span, Span, Tensor]:
        """Neighbouring spans -> the two that are shown, and their labels [n]: 0 where they follow one another."""

    def attach(self, model: PreTrainedModel) -> None:
        width, scale = model.config.hidden_size, model.config.initializer_range
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 2)
        for layer in (self.pooler, self.classifier):
            nn.init.normal_(layer.weight, std=scale)
            nn.init.zeros_(layer.bias)
        self.keeps_pooler = architecture_of(model.config).pooled

    def start_from(self, weights: Mapping[str, Tensor]) -> list[str]:
        """The checkpoint's pooler, where it has one of this width. The guess itself begins anew."""
        if not self.keeps_pooler:
            return []
        own = dict(self.pooler.named_parameters())
        theirs = {name: weights.get(f"{POOLER}.{name}") for name in own}
        if any(found is None or found.shape != own[name].shape for name, found in theirs.items()):
            return ["the checkpoint has no pooler: it begins with random weights"]
        self.pooler.load_state_dict(theirs)
        return ["the pooler goes on from the checkpoint's"]

    def beside(self) -> dict[str, Tensor]:
        if not self.keeps_pooler:
            return {}
        return {f"{POOLER}.{name}": tensor.detach().cpu() for name, tensor in self.pooler.named_parameters()}

    def cost(self, windows: int, length: int) -> Cost:
        """Two thirds of each window are read, and three tokens around them."""
        view = length // 3
        return Cost(windows, 2 * view + 3, round(windows * 2 * view * self.masked.mask_probability))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> what masking makes of the pairs [n, 2 * (length // 3) + 3], their attention
        masks and segments, and `labels` [n]."""
        views, pooled = views_of(ids, self.separator_id)
        spans = (views[0::2], pooled[0::2]), (views[1::2], pooled[1::2])
        first, second, labels = self.paired(*spans, generator)
        inputs, mask, segments = framed([first, second], self.cls_id, self.separator_id, self.pad_id)
        return {
            **self.masked.prepare(inputs, generator, rows),
            "attention_mask": mask[rows],
            "token_type_ids": segments[rows],
            "labels": labels[rows],
            "pairs": len(ids),
        }

    def hidden(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Last hidden states [n, length, width]; architectures without segments know them by the separator alone."""
        segmented = getattr(model.config, "type_vocab_size", 0) > 1
        names = ["input_ids", "attention_mask", *(["token_type_ids"] if segmented else [])]
        states: Tensor = model.base_model(**{name: batch[name] for name in names}).last_hidden_state
        return states

    def logits(self, hidden: Tensor) -> Tensor:
        """[n, 2], of the first token."""
        found: Tensor = self.classifier(torch.tanh(self.pooler(hidden[:, 0])))
        return found.float()

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        hidden = self.hidden(model, batch)
        pairs = cross_entropy(self.logits(hidden), batch["labels"], reduction="sum") / batch["pairs"]
        return self.masked.loss_of(model, hidden, batch) + pairs

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """Nats of the masked targets [m] and of the pairs [n], and which pairs are right [n]."""
        hidden = self.hidden(model, batch)
        logits = self.logits(hidden)
        pairs = cross_entropy(logits, batch["labels"], reduction="none")
        return self.masked.losses_of(model, hidden, batch), pairs, logits.argmax(dim=1) == batch["labels"]

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Of the masked tokens as ever; and nats and accuracy of the pairs, of which half are of either kind."""
        masked, pairs, right = (torch.cat(parts).double() for parts in zip(*scores, strict=True))
        return {
            **perplexity(masked),
            f"validation_{self.metric}": pairs.mean().item(),
            f"validation_{self.metric}_accuracy": right.mean().item(),
        }


def pair_arguments(
    tokenizer: PreTrainedTokenizerBase, config: MaskedConfig
) -> tuple[MaskedLanguageModeling, int, int, int]:
    """What both objectives are made with. A pair holds one document's tokens alone, or is to tell two apart."""
    ids = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id
    cls_id, separator_id, pad_id = (int(one) for one in ids)
    return masked(tokenizer, config, document_attention=False), cls_id, separator_id, pad_id
