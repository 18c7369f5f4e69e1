"""Texts with one label each: their rows, their batches, their head and what they are measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.artifacts import read_manifest
from components.errors import ParameterError
from components.evaluation.metrics import accuracy, macro_f1
from components.modeling.architectures import positions_of
from components.modeling.objectives import Batch
from components.params import TaskConfig
from components.tasks.rows import EVERY_ROW, LabelShare, read_split


@dataclass(frozen=True)
class Examples:
    """One split: token ids of every text, cut at max_length, and the index of its label.

    `word_counts`: probabilities [rows, classes] that counting words gives, where a student learns from them too.
    """

    ids: list[Tensor]
    targets: Tensor
    word_counts: Tensor | None = None

    @property
    def lengths(self) -> list[int]:
        return [len(ids) for ids in self.ids]


@dataclass(frozen=True)
class Classification:
    """A labelled task, encoded. `monitor` is the metric that early stopping follows."""

    labels: tuple[str, ...]
    max_length: int
    special_ids: Tensor
    pad_id: int
    mask_id: int
    train: Examples
    validation: Examples
    monitor = "macro_f1"

    @classmethod
    def read(
        cls, rows: Path, config: TaskConfig, tokenizer: Tokenizer, share: LabelShare = EVERY_ROW
    ) -> Classification:
        """Read and encode a task artifact, of its training rows a share. Raises DataError naming file and line."""
        labels = tuple(read_manifest(rows, "task")["labels"])
        train, validation = (
            encode(read, labels, tokenizer, config.max_length)
            for read in (share.read(rows, labels), read_split(rows / "validation.jsonl", labels))
        )
        return cls(
            labels,
            config.max_length,
            torch.tensor(tokenizer.all_special_ids),
            int(tokenizer.pad_token_id),
            int(tokenizer.mask_token_id),
            train,
            validation,
        )

    @classmethod
    def training_texts(cls, rows: Path, share: LabelShare = EVERY_ROW) -> list[str]:
        """The texts of a share of the training rows. Raises DataError naming file and line."""
        labels = tuple(read_manifest(rows, "task")["labels"])
        return [text for text, _ in share.read(rows, labels)]

    def check_length(self, model: PreTrainedModel, task_name: str) -> None:
        """Raise ParameterError where texts are cut longer than the model can read."""
        if self.max_length > positions_of(model.config):
            raise ParameterError(
                f"tasks.{task_name}.max_length {self.max_length} is longer than the pretrained model reads "
                f"({positions_of(model.config)})",
                "lower it, or raise model.max_length and pretrain again",
            )

    def batch(self, examples: Examples, samples: np.ndarray | range) -> Batch:
        """The samples padded to the longest: ids and mask [n, length], targets [n], and word_counts [n, classes]."""
        ids = pad_sequence([examples.ids[index] for index in samples], batch_first=True, padding_value=self.pad_id)
        lengths = torch.tensor([len(examples.ids[index]) for index in samples])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        chosen = torch.tensor(samples)
        batch: Batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "targets": examples.targets[chosen],
            "count": len(lengths),
            "tokens": int(lengths.sum()),
        }
        return batch if examples.word_counts is None else {**batch, "word_counts": examples.word_counts[chosen]}

    def hide_tokens(self, batch: Batch, share: float, generator: torch.Generator) -> Batch:
        """A batch in which a share of the ordinary tokens is masked: as good as more rows, for a small data set."""
        ids = batch["input_ids"]
        hidden = (torch.rand(ids.shape, generator=generator) < share) & ~torch.isin(ids, self.special_ids)
        return {**batch, "input_ids": torch.where(hidden, self.mask_id, ids)}


@dataclass(frozen=True)
class ClassificationObjective:
    """Cross-entropy with label smoothing (Szegedy 2016); validated by accuracy and macro-F1."""

    classes: int
    label_smoothing: float

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        total = cross_entropy(
            logits_of(model, batch).float(),
            batch["targets"],
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        return total / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return logits_of(model, batch).float(), batch["targets"]

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        logits, targets = (torch.cat(parts).cpu() for parts in zip(*scores, strict=True))
        return {"validation_loss": cross_entropy(logits, targets).item(), **measure(logits, targets, self.classes)}


def logits_of(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits [n, classes] of a batch."""
    logits: Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits


def measure(logits: Tensor, targets: Tensor, classes: int) -> dict[str, float]:
    """Accuracy and macro-F1 of the likeliest classes, as the evaluation defines them."""
    actual, answers = targets.numpy(), logits.argmax(dim=1).numpy()
    return {"accuracy": accuracy(actual, answers), "macro_f1": macro_f1(actual, answers, range(classes))}


def encode(rows: Sequence[tuple[str, str]], labels: Sequence[str], tokenizer: Tokenizer, max_length: int) -> Examples:
    """Token ids of each text, [CLS] and [SEP] among them, no longer than max_length."""
    ids = tokenizer([text for text, _ in rows], truncation=True, max_length=max_length)["input_ids"]
    places = {label: index for index, label in enumerate(labels)}
    return Examples([torch.tensor(row) for row in ids], torch.tensor([places[label] for _, label in rows]))
