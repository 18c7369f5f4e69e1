"""Span corruption (T5, Raffel 2020): each hidden span becomes one sentinel, and what is written are the spans, each
behind its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from components.errors import ParameterError
from components.modeling.architectures.families import FIRST_SENTINEL, SENTINELS
from components.modeling.config import DenoisingConfig
from components.modeling.objectives.denoising import Denoising, end_of
from components.modeling.objectives.objective import Cost

LANGUAGE_MODEL = "seq2seq_lm"


def build(tokenizer: PreTrainedTokenizerBase, config: DenoisingConfig, document_attention: bool) -> SpanCorruption:
    """Span corruption over a tokenizer's vocabulary."""
    vocabulary, end = tokenizer.get_vocab(), end_of(tokenizer, "span_corruption", document_attention)
    # T5's own tokenizer has sentinels, counted down; others are the rows behind a tokenizer's tokens.
    first, step = (vocabulary[FIRST_SENTINEL], -1) if FIRST_SENTINEL in vocabulary else (len(tokenizer), 1)
    return SpanCorruption(config.noise_density, config.mean_span_length, end, first, step)


@dataclass(frozen=True)
class SpanCorruption(Denoising):
    """Every window has as many hidden tokens in as many spans, so a batch needs no padding. `first`: the id of the
    first sentinel, `step`: from one to the next."""

    first: int
    step: int

    def sizes(self, length: int) -> tuple[int, int]:
        """Hidden tokens of a window of this length, and spans they stand in, as in T5's own code."""
        hidden = min(max(round(length * self.noise_density), 1), length - 1)
        spans = min(max(round(hidden / self.mean_span_length), 1), hidden, length - hidden)
        if spans > SENTINELS:
            raise ParameterError(
                f"pretrain.objective: {spans} spans in {length} tokens, and there are {SENTINELS} sentinels",
                "raise mean_span_length, or lower noise_density or pretrain.sequence_length",
            )
        return hidden, spans

    def cost(self, windows: int, length: int) -> Cost:
        """Both what is read and what is written go through layers."""
        hidden, spans = self.sizes(length)
        return Cost(windows, length + 2 * spans + 2, windows * (hidden + spans + 1))

    def damaged(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        rows, length = ids.shape
        hidden, spans = self.sizes(length)
        kept = segments(rows, length - hidden, spans, generator)
        lengths = torch.stack([kept, segments(rows, hidden, spans, generator)], dim=2).flatten(1)
        # The number of the segment that each token is in: even ones are kept, odd ones hidden.
        place = torch.arange(length).expand(rows, -1).contiguous()
        segment = torch.searchsorted(lengths.cumsum(dim=1), place, right=True)
        begins = torch.ones_like(segment, dtype=torch.bool)
        begins[:, 1:] = segment.diff(dim=1) > 0
        sentinels = self.first + self.step * (segment // 2)
        odd = segment % 2 == 1
        end = torch.full((rows, 1), self.end_id)
        read = torch.where(odd, sentinels, ids)[~odd | begins].view(rows, length - hidden + spans)
        # A sentinel in front of each span: in the place of the kept tokens before it.
        written = torch.where(odd, ids, sentinels)[odd | begins].view(rows, hidden + spans)
        inputs = torch.cat([read, end], dim=1)
        return inputs, torch.ones_like(inputs), torch.cat([written, end], dim=1)


def segments(rows: int, items: int, parts: int, generator: torch.Generator) -> Tensor:
    """Random lengths of at least 1 that add up to `items`, int64 [rows, parts]; all such divisions are as likely."""
    cuts = torch.rand(rows, items - 1, generator=generator).argsort(dim=1)[:, : parts - 1].sort(dim=1).values + 1
    ends = torch.tensor([[0, items]]).expand(rows, -1)
    return torch.cat([ends[:, :1], cuts, ends[:, 1:]], dim=1).diff(dim=1)
