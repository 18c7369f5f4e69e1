"""The baseline of a language model: n-grams, over the model's own tokens, since perplexities of other tokens do not
compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.deployment.generation.scores import RowEncoder
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.kneser_ney import KneserNey
from components.runtime.manifest import TOKENIZER
from components.tasks.generation import Encoded, padded_scores
from components.tasks.metrics import Perplexity, score
from components.tasks.task import NO_TARGET

ORDERS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class NGramsChoice:
    """A setting. `order`: tokens of the longest n-grams."""

    order: int

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"order": self.order}

    def __str__(self) -> str:
        return f"up to {self.order} token{'s' if self.order > 1 else ''}"


@dataclass(frozen=True)
class NGrams:
    """Counted tokens. `encode`: texts as the model reads them. Prompts are counted too, answers alone are scored."""

    encode: RowEncoder
    counted: KneserNey
    choice: NGramsChoice
    title = "n-grams with modified Kneser-Ney smoothing"

    @classmethod
    def tuned(cls, data: TuningData) -> NGrams:
        """Counted on the training rows, in n-grams of the length that has the least perplexity on the validation
        rows."""
        encode = RowEncoder.of_bundle(data.bundle / TOKENIZER, data.made)
        train, validation = [row.ids for row in encode(data.train.texts)], encode(data.validation.texts)
        size = encode.tokenizer.get_vocab_size()
        every = [cls(encode, KneserNey.of(train, size, order), NGramsChoice(order)) for order in ORDERS]
        return min(every, key=lambda one: score(Perplexity(), data.validation.targets, one.of_rows(validation)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Scores of each text's tokens, as a language model's are: [texts, tokens, 2]."""
        return self.of_rows(self.encode(texts))

    def of_rows(self, rows: Sequence[Encoded]) -> np.ndarray:
        """The same of rows of tokens. A model is asked of no row's first token."""
        return padded_scores([self._scores(row) for row in rows])

    def _scores(self, row: Encoded) -> np.ndarray:
        found = np.full((len(row.ids), 2), np.nan, dtype=np.float32)
        probability, likeliest = self.counted.scores(row.ids)
        found[:-1, 0], found[:-1, 1] = -np.log(probability[1:]), likeliest[1:]
        found[row.targets == NO_TARGET] = np.nan
        return found

    def megabytes(self) -> float:
        """Of its counts."""
        return self.counted.megabytes()
