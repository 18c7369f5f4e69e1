"""Direct preference optimization (Rafailov 2023): of two answers to a prompt, the chosen one is to become likelier.

How much likelier is measured from a reference, the weights that the training begins with. They are needed only for
their log-probabilities of every answer, which are computed once, before the first step: no second model is held, and a
resumed training, which begins with the same weights, computes the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, pad
from transformers import PreTrainedModel

from components.errors import DataError
from components.modeling.objectives.objective import Batch
from components.tasks.generation import rejected_text
from components.tasks.metrics import Metric, mean_of, score
from components.tasks.rows import LabelShare, read_split
from components.tasks.task import NO_TARGET, Row
from components.training.config import DpoConfig
from components.training.task_data import Examples, TaskData, encode
from components.training.task_objective import TaskObjective, reduced
from components.training.task_outputs import outputs_of

if TYPE_CHECKING:
    from components.training.config import FinetuneConfig

MOST_PAIRS = 64
MOST_LOGITS = 2**28
"""Of a batch of the reference, a GiB of them in float32: GPT-2's vocabulary would fill 13 GiB with 64 pairs of 512
tokens."""


@dataclass(frozen=True)
class PreferenceAccuracy(Metric):
    """The share of pairs whose chosen answer has become likelier than the rejected one, relative to the reference.
    Answers are margins [rows]."""

    name = "preference_accuracy"
    title = "preference accuracy"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return np.stack([answers > 0, np.ones(len(answers))], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


@dataclass(frozen=True)
class Pairs(Examples):
    """Prompts with their chosen answers; the same with the `rejected` ones, and the log-probabilities that the
    reference gives both answers, float32 [rows, 2]."""

    rejected: Examples | None = None
    reference: Tensor | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of both texts of a pair."""
        assert self.rejected is not None
        return [sum(both) for both in zip(super().lengths, self.rejected.lengths, strict=True)]


@dataclass(frozen=True)
class PreferenceData(TaskData):
    """A task's rows as pairs."""

    @property
    def metric(self) -> Metric:
        return PreferenceAccuracy()

    def batch(self, examples: Examples, samples: np.ndarray | range) -> Batch:
        """Beside the chosen texts the rejected ones: `rejected_ids`, `rejected_mask`, `rejected_targets` [n, length],
        and, once it is known, `reference` [n, 2]. `count`: pairs."""
        assert isinstance(examples, Pairs)
        assert examples.rejected is not None
        chosen, rejected = super().batch(examples, samples), super().batch(examples.rejected, samples)
        names = {"input_ids": "rejected_ids", "attention_mask": "rejected_mask", "targets": "rejected_targets"}
        batch = chosen | {name: rejected[own] for own, name in names.items()}
        if examples.reference is not None:
            batch["reference"] = examples.reference[torch.tensor(samples)]
        return batch | {"count": len(samples), "tokens": chosen["tokens"] + rejected["tokens"]}


@dataclass(frozen=True)
class DirectPreference(TaskObjective):
    """-log sigmoid(beta * margin), a pair: Rafailov's equation 7."""

    beta: float = 0.1

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self._losses(margins(pair_outputs(model, batch), batch)).sum() / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        outputs = pair_outputs(model, batch).float()
        chosen = outputs[: len(batch["input_ids"]), : batch["input_ids"].shape[1]]
        return reduced(self.task, chosen, batch), margins(outputs, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Preference accuracy, and the task's metrics of the chosen answers."""
        outputs, found = (torch.cat(parts).cpu() for parts in zip(*scores, strict=True))
        nothing = np.zeros(len(found))
        metric = PreferenceAccuracy()
        return {
            "validation_loss": self._losses(found.double()).mean().item(),
            metric.name: score(metric, nothing, found.numpy()),
            **self.task.scores(nothing, self.decoded(outputs)),
        }

    def _losses(self, found: Tensor) -> Tensor:
        return -logsigmoid(self.beta * found)


def learning(
    model: PreTrainedModel, data: TaskData, config: FinetuneConfig, rows: Path, share: LabelShare
) -> tuple[TaskData, TaskObjective]:
    """Pairs with what the reference, which `model` is now, says of them. Raises DataError for a row that is no pair."""
    assert isinstance(config.loss, DpoConfig)
    given = (
        (data.train, share.read(rows, data.task)),
        (data.validation, read_split(rows / "validation.jsonl", data.task)),
    )
    train, validation = (pairs_of(examples, read, data) for examples, read in given)
    pairs = PreferenceData(**{**vars(data), "train": train, "validation": validation})
    train, validation = (replace(one, reference=likelihoods(model, pairs, one)) for one in (train, validation))
    return replace(pairs, train=train, validation=validation), DirectPreference(data.task, beta=config.loss.beta)


def pairs_of(chosen: Examples, rows: Sequence[Row], data: TaskData) -> Pairs:
    """The rows as they are encoded, with their rejected answers beside them. Raises DataError for a row without one."""
    others = [{**row, "text": rejected_text(row["text"])} for row in rows]
    if single := next((row for row, other in zip(rows, others, strict=True) if not other["text"]), None):
        raise DataError(
            f"{single['id']}: no pair of answers, and finetune.loss dpo learns from pairs",
            "write prompt, chosen and rejected, or set finetune.loss to {name: supervised}",
        )
    return Pairs(**vars(chosen), rejected=encode(data.task, others, data.tokenizer, data.max_length))


@torch.no_grad()
def likelihoods(model: PreTrainedModel, data: PreferenceData, pairs: Pairs) -> Tensor:
    """Log-probabilities that a model gives the chosen and the rejected answers, float32 [rows, 2], without dropout."""
    training = model.training
    model.eval()
    size = pairs_at_once(max(pairs.lengths), model.config.vocab_size)
    starts = range(0, len(pairs.ids), size)
    batches = (data.batch(pairs, range(start, min(start + size, len(pairs.ids)))) for start in starts)
    found = torch.cat([pair_likelihoods(pair_outputs(model, batch), batch) for batch in batches])
    model.train(training)
    return found


def pairs_at_once(longest: int, vocabulary: int) -> int:
    """Pairs in a batch of the reference. `longest`: tokens of both texts of a pair."""
    return min(MOST_PAIRS, max(1, MOST_LOGITS // (longest * vocabulary)))


def pair_outputs(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits [2n, length, vocabulary] of the chosen texts and then of the rejected ones, read at once."""
    ids, mask = (
        torch.cat(even(batch[chosen], batch[rejected], 0))
        for chosen, rejected in (("input_ids", "rejected_ids"), ("attention_mask", "rejected_mask"))
    )
    return outputs_of(model, {"input_ids": ids, "attention_mask": mask})


def pair_likelihoods(outputs: Tensor, batch: Batch) -> Tensor:
    """Log-probabilities [n, 2] of both answers, the sum over their tokens."""
    targets = torch.cat(even(batch["targets"], batch["rejected_targets"], NO_TARGET))
    losses = cross_entropy(outputs.float().transpose(1, 2), targets, ignore_index=NO_TARGET, reduction="none")
    return -losses.sum(dim=1).view(2, -1).T


def margins(outputs: Tensor, batch: Batch) -> Tensor:
    """How much likelier than to the reference the chosen answer is, and the rejected one is not: nats [n]."""
    gained = pair_likelihoods(outputs, batch) - batch["reference"]
    return gained[:, 0] - gained[:, 1]


def even(one: Tensor, other: Tensor, value: int) -> list[Tensor]:
    """Two tensors [n, length] padded to the longer one."""
    width = max(one.shape[1], other.shape[1])
    return [pad(part, (0, width - part.shape[1]), value=value) for part in (one, other)]
