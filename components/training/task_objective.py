"""What a task's models learn by: its loss as what a training minimises, and its metrics as what validates one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.modeling.kinds import WRITES
from components.modeling.objectives.objective import Batch
from components.tasks.task import NO_TARGET, Task
from components.training.task_data import TaskData
from components.training.task_outputs import outputs_of

AT_ONCE = 256
"""Answers to find among that are read together in a validation."""


@dataclass(frozen=True)
class TaskObjective:
    """A task's loss; validated by its metrics."""

    task: Task
    label_smoothing: float = 0.0

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.total(outputs_of(model, batch), batch) / batch["count"]

    def total(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The sum over a batch's targets of what its outputs are wrong by."""
        return self.task.loss(outputs, batch["targets"], self.label_smoothing)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        outputs = outputs_of(model, batch).float()
        if not self.task.output.per_token:
            return outputs, batch["targets"]
        # Every token times every label would be too much to keep: the loss of the batch, and what answers need.
        loss = self.task.loss(outputs, batch["targets"])
        return reduced(self.task, outputs, batch), batch["answers"], loss[None], loss.new_tensor([batch["count"]])

    def answers(self, model: PreTrainedModel, batches: Iterable[Batch]) -> np.ndarray:
        """The answers to some rows, one batch after another."""
        outputs = torch.cat([reduced(self.task, outputs_of(model, batch), batch) for batch in batches])
        return self.task.decode(outputs.numpy())

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        outputs, targets, *sums = (torch.cat(parts).cpu() for parts in zip(*scores, strict=True))
        if sums:
            loss, count = (one.double().sum() for one in sums)
        else:
            loss, count = self.task.loss(outputs, targets), torch.tensor(len(targets))
        return {
            "validation_loss": (loss / count).item(),
            **self.task.scores(targets.numpy(), self.decoded(outputs)),
        }

    def decoded(self, outputs: Tensor) -> np.ndarray:
        """The answers that a validation's outputs stand for."""
        return self.task.decode(outputs.numpy(force=True))


@dataclass(frozen=True)
class WindowsObjective(TaskObjective):
    """The same of rows in windows: the best answer of all windows of a row counts, and what the task leaves to its
    model's answers is what is best for these rows."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        outputs = outputs_of(model, batch).float()
        loss = self.task.loss(outputs, batch["targets"])
        found = reduced(self.task, outputs, batch)
        return found, batch["answers"], loss[None], loss.new_tensor([batch["count"]]), batch["rows"]

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        outputs, targets, loss, count, rows = (torch.cat(parts).cpu() for parts in zip(*scores, strict=True))
        found, wanted = self._by_row(outputs, rows), targets[first_of_each(rows)].numpy()
        return {
            "validation_loss": (loss.double().sum() / count.double().sum()).item(),
            **self.task.scores(wanted, self.task.tuned(found, wanted).decode(found)),
        }

    def answers(self, model: PreTrainedModel, batches: Iterable[Batch]) -> np.ndarray:
        found = [(reduced(self.task, outputs_of(model, batch), batch), batch["rows"]) for batch in batches]
        return self.task.decode(self._by_row(*(torch.cat(parts).cpu() for parts in zip(*found, strict=True))))

    def tuned(self, model: PreTrainedModel, batches: Iterable[Batch]) -> Task:
        """The task with what the model's answers to some rows decide."""
        scores = [self.score(model, batch) for batch in batches]
        outputs, targets, _, _, rows = (torch.cat(parts).cpu() for parts in zip(*scores, strict=True))
        return self.task.tuned(self._by_row(outputs, rows), targets[first_of_each(rows)].numpy())

    def _by_row(self, outputs: Tensor, rows: Tensor) -> np.ndarray:
        return self.task.merged(outputs.numpy(force=True), torch.bincount(rows).tolist())


def first_of_each(rows: Tensor) -> Tensor:
    """Where each row's first window stands."""
    return torch.cat([torch.ones(1, dtype=torch.bool), rows[1:] != rows[:-1]])


@dataclass(frozen=True)
class WritingObjective(TaskObjective):
    """The same of texts that are written: validated by greedy answers, token by token, of at most `max_length`."""

    tokenizer: Tokenizer | None = None
    max_length: int = 0

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        loss = self.task.loss(outputs_of(model, batch), batch["targets"])
        return self._written(model, batch), batch["answers"], loss[None], loss.new_tensor([batch["count"]])

    def answers(self, model: PreTrainedModel, batches: Iterable[Batch]) -> np.ndarray:
        return self.decoded(torch.cat([self._written(model, batch) for batch in batches]))

    def decoded(self, outputs: Tensor) -> np.ndarray:
        assert self.tokenizer is not None
        texts = self.tokenizer.batch_decode(outputs.tolist(), skip_special_tokens=True)
        return self.task.written(texts)

    def _written(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Tokens [n, max_length] of the greedy answers, padded."""
        writer: Any = model
        ids: Tensor = writer.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=self.max_length - 1,
            do_sample=False,
            num_beams=1,
        )
        return pad(ids, (0, self.max_length - ids.shape[1]), value=int(model.config.pad_token_id))


@dataclass(frozen=True)
class RetrievalObjective(TaskObjective):
    """The same of answers to find: each question's own among those of the batch (InfoNCE); validated by what is found
    among all of them.

    The other answers are those of this part: micro-batches and ranks make the task easier, not the same.
    """

    def total(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self.task.loss(outputs, torch.arange(len(outputs), device=outputs.device))

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """Vectors of the questions [n, width], the numbers of their answers [n], and vectors of this batch's part of
        all answers [m, width]."""
        questions = vectors_of(model, batch["input_ids"][:, 0], batch["attention_mask"][:, 0])
        # Few questions may have many answers to find among: so many at once have room.
        parts = zip(batch["passages"].split(AT_ONCE), batch["passages_mask"].split(AT_ONCE), strict=True)
        found = [vectors_of(model, ids, mask) for ids, mask in parts if len(ids)]
        return questions, batch["targets"], torch.cat([questions[:0], *found])

    def answers(self, model: PreTrainedModel, batches: Iterable[Batch]) -> np.ndarray:
        questions, _, passages = zip(*(self.score(model, batch) for batch in batches), strict=True)
        return self.decoded(torch.cat(questions) @ torch.cat(passages).T)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        questions, targets, passages = (torch.cat(part).cpu() for part in zip(*scores, strict=True))
        similar = questions @ passages.T
        loss = self.task.loss(similar / self.task.temperature, targets) / len(targets)
        return {"validation_loss": loss.item(), **self.task.scores(targets.numpy(), self.decoded(similar))}


def vectors_of(model: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """[n, width], from ids and mask [n, length] without the columns that are padding alone."""
    length = int(mask.sum(dim=1).max())
    found: Tensor = model(input_ids=ids[:, :length], attention_mask=mask[:, :length])[0]
    return found.float()


def task_objective(data: TaskData, label_smoothing: float = 0.0) -> TaskObjective:
    """What a task's models learn by."""
    if data.task.head == WRITES:
        return WritingObjective(data.task, label_smoothing, data.tokenizer, data.max_length)
    if data.task.output.embeds:
        return RetrievalObjective(data.task)
    if data.task.output.over_tokens:
        return WindowsObjective(data.task, label_smoothing)
    return TaskObjective(data.task, label_smoothing)


def reduced(task: Task, outputs: Tensor, batch: Batch) -> Tensor:
    """What answers need of a batch's outputs, [n, ...]."""
    if not task.output.per_token:
        return outputs
    if task.output.over_tokens:
        found = torch.from_numpy(task.reduced(list(outputs.mT.numpy(force=True)), batch["places"].numpy(force=True)))
        return pad(found, (0, batch["places"].shape[1] - found.shape[1]), value=torch.nan).to(outputs.device)
    asked = batch[task.reduced_by].cpu()
    told = [row[row != NO_TARGET].tolist() if task.reduced_by == "places" else row.tolist() for row in asked]
    found = torch.from_numpy(task.reduced(list(outputs.numpy(force=True)), told))
    width = batch["places"].shape[1] - found.shape[1]
    return pad(found, (0, 0, 0, width), value=torch.nan).to(outputs.device)
