"""Questions, each with the answer that is to be found for it among the answers of all rows: FAQ retrieval.

One encoder makes a vector of a question and of each answer (Reimers and Gurevych 2019); the answers whose vectors are
nearest (cosine) are found, the nearest first. Several questions may share an answer. Every answer is searched, those
of held-out rows too: what is held out are questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.tasks.metrics import Metric, mean_of
from components.tasks.task import Column, Example, Output, Row, Task, padded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

FOUND = 10
"""Answers that are found for a question; nDCG, recall and MRR look at no more."""
MOST_ANSWERS = 50_000
"""Every answer is compared with every question: that many of 384 numbers are 77 MB, and some 5 ms a question."""
TEMPERATURE = 0.05
"""sentence-transformers' scale of 20 for multiple negatives ranking."""


class Sought(str):
    """The answer of a row; `negatives`: answers that look right and are not."""

    __slots__ = ("negatives",)

    def __new__(cls, answer: str, negatives: Sequence[str] = ()) -> Self:
        found = super().__new__(cls, answer)
        found.negatives = tuple(negatives)
        return found

    negatives: tuple[str, ...]


class _Ranked(Metric):
    """The mean over rows of what the place of the right answer is worth; targets are the numbers of answers [rows],
    answers those found, the nearest first [rows, found]."""

    larger_is_better = True

    def worth(self, places: np.ndarray) -> np.ndarray:
        """Of places from 0."""
        raise NotImplementedError

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        hits = answers == targets[:, None]
        worth = (hits * self.worth(np.arange(answers.shape[1]))).sum(axis=1)
        return np.stack([worth, np.ones(len(targets))], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


@dataclass(frozen=True)
class Ndcg(_Ranked):
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002): of one right answer 1 / log2(1 + rank)."""

    name = "ndcg_at_10"
    title = "nDCG@10"

    def worth(self, places: np.ndarray) -> np.ndarray:
        found: np.ndarray = (places < FOUND) / np.log2(places + 2)
        return found


@dataclass(frozen=True)
class Recall(_Ranked):
    """The share of rows whose answer is among the `within` nearest."""

    within: int

    @property
    def name(self) -> str:
        return f"recall_at_{self.within}"

    @property
    def title(self) -> str:
        return f"recall@{self.within}"

    def worth(self, places: np.ndarray) -> np.ndarray:
        return places < self.within


@dataclass(frozen=True)
class ReciprocalRank(_Ranked):
    """The mean of 1 / rank, 0 behind the tenth (MRR@10)."""

    name = "mrr_at_10"
    title = "MRR@10"

    def worth(self, places: np.ndarray) -> np.ndarray:
        found: np.ndarray = (places < FOUND) / (places + 1)
        return found


@dataclass(frozen=True)
class Retrieval(Task):
    """InfoNCE over the answers of a batch (Henderson 2017; Karpukhin 2020, DPR): a question's own answer has to be
    nearer than those of the other rows and than all negatives. Rows that share an answer are not negatives of each
    other.

    `passages`: every answer. `temperature`: what cosines are divided by.
    """

    passages: tuple[str, ...] = ()
    temperature: float = TEMPERATURE

    kind = "retrieval"
    columns: ClassVar = {"text": Column.TEXT, "answer": Column.ANSWER, "negatives": Column.NEGATIVES}
    target = "answer"
    head = "embedding"
    output = Output("sentence_embedding", "categorical", embeds=True)
    fits_every_split = True

    @classmethod
    def fit(cls, targets: Sequence[Any], temperature: float = TEMPERATURE) -> Self:
        passages = sorted({str(target) for target in targets})
        if len(passages) < 2:
            raise ValueError("every row has the same answer; retrieval needs two or more")
        if len(passages) > MOST_ANSWERS:
            raise ValueError(f"{len(passages):,} answers, at most {MOST_ANSWERS:,} are searched one by one")
        return cls(("vector",), tuple(passages), temperature)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        passages, temperature = made["passages"], float(made["temperature"])
        if not isinstance(passages, list) or len({*passages}) != len(passages) or len(passages) < 2:
            raise ValueError("passages are no list of two or more different texts")
        if not 0 < temperature < np.inf:
            raise ValueError(f"temperature {temperature} is not above 0")
        return cls(tuple(made["labels"]), tuple(map(str, passages)), temperature)

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {"passages": list(self.passages), "temperature": self.temperature}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return Ndcg(), Recall(1), Recall(FOUND), ReciprocalRank()

    @property
    def expected(self) -> str:
        return f"one of {len(self.passages):,} answers"

    def check(self, target: object) -> None:
        if target not in self.numbers:
            raise ValueError(f"answer {target!r:.60} is not among the answers")

    def check_row(self, row: Row) -> None:
        super().check_row(row)
        negatives = row["negatives"]
        if not isinstance(negatives, list) or not all(isinstance(one, str) for one in negatives):
            raise ValueError(f"negatives {negatives!r:.60} are no list of texts")

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Answer -> its number."""
        return {passage: number for number, passage in enumerate(self.passages)}

    def row(self, text: str, target: Any) -> dict[str, Any]:
        # Validation and drift look at a label of every row: there is none to be wrong.
        return {"text": text, "answer": str(target), "negatives": list(target.negatives), "label": ""}

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([self.numbers[row["answer"]] for row in rows], dtype=np.int64)

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> np.ndarray:
        """Of each row its answer and its negatives as numbers [rows, candidates], the same ones for the same texts."""
        numbers = dict(self.numbers)
        return padded(
            [[numbers.setdefault(text, len(numbers)) for text in (row["answer"], *row["negatives"])] for row in rows]
        )

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """An example a text: of each row the question, its answer, and its negatives."""
        texts = [
            (number, text)
            for number, row in enumerate(rows)
            for text in (row["text"], row["answer"], *row["negatives"])
        ]
        found = tokenizer([text for _, text in texts], truncation=True, max_length=max_length)["input_ids"]
        return [Example({"input_ids": ids}, number) for ids, (number, _) in zip(found, texts, strict=True)]

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Of cosines divided by the temperature. Without label smoothing, which would give answers that are no
        negatives a share."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.float(), targets, reduction="sum")

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The numbers of the nearest answers [rows, FOUND], from cosines with all of them; of equal ones the first."""
        nearest = np.argsort(-np.nan_to_num(outputs, nan=-np.inf), axis=1, kind="stable")
        return nearest[:, :FOUND].astype(np.int64)

    def values(self, answers: np.ndarray) -> list[Any]:
        """The nearest answer of each row."""
        return [self.passages[row[0]] for row in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Where both find the same answer first."""
        alike: np.ndarray = one[:, 0] == other[:, 0]
        return alike

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: answers are no classes."""
        return targets[:0], answers[:0, 0]

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        return {}
