"""Texts to be carried on: a language model learns a task's own texts, token by token.

What a text should be answered with are its own tokens, so an answer here says of each of them how unlikely it was, and
which token was the likeliest instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.tasks.metrics import Metric, Perplexity
from components.tasks.task import NO_TARGET, Column, Example, Output, Row, Task

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

LABELS = ("token",)
"""Its outputs are over the vocabulary, whose names the tokenizer has."""


@dataclass(frozen=True)
class Generation(Task):
    """Next-token cross-entropy (Radford 2018). Its answers are [rows, tokens, 2]: see `token_scores`."""

    kind = "generation"
    columns: ClassVar = {"text": Column.TEXT}
    target = "text"
    head = "causal_lm"
    output = Output("logits", "categorical", per_token=True)
    reduced_by = "targets"

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        return cls(LABELS)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(LABELS)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Perplexity(),)

    @property
    def expected(self) -> str:
        return "a text"

    def check(self, target: object) -> None:
        if not isinstance(target, str) or not target.strip():
            raise ValueError(f"text {target!r:.60} is no text")

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        """Nothing that a metric needs: the answers are about the rows' own tokens."""
        return np.zeros(len(rows))

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Tokens of each text as a generator reads them, without special tokens in front; the end token comes last."""
        texts = [row["text"] for row in rows]
        found = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=max_length)["input_ids"]
        end = int(tokenizer.sep_token_id)
        ids = [row if len(row) == max_length else [*row, end] for row in found]
        return [Example({"input_ids": row}, number, range(len(row))) for number, row in enumerate(ids)]

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> list[np.ndarray]:
        """The next token of each, and none of the last."""
        return [next_tokens(example.features["input_ids"]) for example in examples]

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Without label smoothing, which is what perplexity is worse by."""
        from torch.nn.functional import cross_entropy

        logits, wanted = outputs.float().flatten(0, 1), targets.flatten()
        return cross_entropy(logits, wanted, ignore_index=NO_TARGET, reduction="sum")

    def reduced(self, outputs: Sequence[np.ndarray], asked: Sequence[Sequence[int]]) -> np.ndarray:
        """Answers from each row's outputs [length, vocabulary] and the targets of its tokens."""
        return padded_scores([token_scores(*pair) for pair in zip(outputs, asked, strict=True)])

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def values(self, answers: np.ndarray) -> list[Any]:
        """The perplexity of each row."""
        metric = Perplexity()
        statistics = metric.statistics(np.zeros(len(answers)), answers)
        return [round(float(value), 4) for value in metric.value(statistics)]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        counted = ~np.isnan(one[..., 1])
        alike: np.ndarray = ((one[..., 1] == other[..., 1]) | ~counted).all(axis=1)
        return alike

    def row(self, text: str, target: Any) -> dict[str, Any]:
        # Validation and drift look at a label of every row: there is none to be wrong.
        return {"text": text, "label": ""}

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: there are as many answers as tokens, and no table of them."""
        return answers[:0], answers[:0]

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        return {}

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of tokens in whose place two models find the same one likeliest."""
        counted = ~np.isnan(one[..., 1])
        return float((one[..., 1] == other[..., 1])[counted].mean()) if counted.any() else 1.0


def next_tokens(ids: Sequence[int]) -> np.ndarray:
    """What follows each token, NO_TARGET after the last."""
    return np.array([*ids[1:], NO_TARGET], dtype=np.int64)


def token_scores(logits: np.ndarray, targets: Sequence[int] | np.ndarray) -> np.ndarray:
    """Of each token that is asked for, float32 [tokens, 2]: its negative log-likelihood in nats, infinite where the
    logits are no numbers, and the likeliest token there; NaN where none is asked for."""
    wanted = np.asarray(targets)
    places = np.flatnonzero(wanted != NO_TARGET)
    found = np.full((len(wanted), 2), np.nan, dtype=np.float32)
    scores = logits[places].astype(np.float32)
    top = scores.max(axis=1, initial=-np.inf)
    total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    losses = total - scores[np.arange(len(places)), wanted[places]]
    found[places, 0] = np.nan_to_num(losses, nan=np.inf, posinf=np.inf)
    found[places, 1] = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1) if len(places) else 0
    return found


def padded_scores(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Scores of rows as one array [rows, the longest, 2], NaN behind a row's end."""
    found = np.full((len(rows), max(map(len, rows), default=0), 2), np.nan, dtype=np.float32)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
