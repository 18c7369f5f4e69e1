"""Text infilling and sentence permutation (BART, Lewis 2020): each hidden span becomes one mask, sentences stand in
another order, and what is written is the whole text as it was."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from components.modeling.config import DenoisingConfig
from components.modeling.objectives.denoising import Denoising, end_of
from components.modeling.objectives.objective import Cost

LANGUAGE_MODEL = "seq2seq_lm"
SENTENCE_ENDS = ".!?…。！？\n"


def build(tokenizer: PreTrainedTokenizerBase, config: DenoisingConfig, document_attention: bool) -> TextInfilling:
    """Text infilling over a tokenizer's vocabulary."""
    end = end_of(tokenizer, "text_infilling", document_attention)
    texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
    ends = [number for number, text in enumerate(texts) if text.rstrip(" ").endswith(tuple(SENTENCE_ENDS))]
    return TextInfilling(
        config.noise_density,
        config.mean_span_length,
        end,
        int(tokenizer.mask_token_id),
        int(tokenizer.pad_token_id),
        tuple({*ends, end}),
    )


@dataclass(frozen=True)
class TextInfilling(Denoising):
    """Lengths of spans are drawn from Poisson(mean_span_length): one of no tokens puts a mask where nothing is missing.

    `sentence_ends`: the tokens that end a sentence, or a document.
    """

    mask_id: int
    pad_id: int
    sentence_ends: tuple[int, ...]

    def cost(self, windows: int, length: int) -> Cost:
        """Both what is read, about as long as the text, and what is written go through layers."""
        return Cost(windows, 2 * length, windows * length)

    def damaged(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        rows = [self._infilled(self._permuted(row, generator), generator) for row in ids]
        lengths = torch.tensor([len(row) for row in rows])
        inputs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)
        mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
        return inputs, mask, ids

    def _permuted(self, row: Tensor, generator: torch.Generator) -> Tensor:
        """The sentences of a window [length] in a random order."""
        ends = torch.isin(row, torch.tensor(self.sentence_ends)).nonzero().squeeze(1) + 1
        sentences = [part for part in row.tensor_split(ends) if len(part)]
        order = torch.randperm(len(sentences), generator=generator).tolist()
        return torch.cat([sentences[place] for place in order])

    def _infilled(self, row: Tensor, generator: torch.Generator) -> Tensor:
        """The window [length] with a mask in the place of every span."""
        spans = self._spans(len(row), generator)
        kept = len(row) - sum(spans)
        # Masks and kept tokens in a random order of the two, the tokens themselves in theirs.
        order = torch.randperm(kept + len(spans), generator=generator)
        span_of = torch.where(order < len(spans), order, -1).tolist()
        found, place = [], 0
        for span in span_of:
            found.append(self.mask_id if span >= 0 else int(row[place]))
            place += spans[span] if span >= 0 else 1
        return torch.tensor(found)

    def _spans(self, length: int, generator: torch.Generator) -> list[int]:
        """Lengths of the spans, `noise_density` of the tokens together; the last is cut to that.

        No more than there are hidden tokens: what is read would be longer than the text, and perhaps than the model's
        positions.
        """
        hidden = round(length * self.noise_density)
        left = hidden
        found = []
        while left > 0:
            drawn = int(torch.poisson(torch.tensor([float(self.mean_span_length)]), generator=generator))
            found.append(min(drawn, left))
            left -= found[-1]
        while len(found) > hidden:
            found.remove(0)
        return found
