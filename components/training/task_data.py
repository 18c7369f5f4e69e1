"""A task's rows as batches, and its loss and metrics as what a training minimises and is validated by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.errors import ParameterError
from components.modeling.architectures import positions_of
from components.modeling.heads import decoder_input_ids
from components.modeling.kinds import WRITES
from components.modeling.loading import takes_types
from components.modeling.objectives.objective import Batch
from components.tasks.config import TaskConfig
from components.tasks.metrics import Metric
from components.tasks.rows import EVERY_ROW, LabelShare, read_split, read_task
from components.tasks.task import NO_TARGET, Example, Row, Task, padded, parts
from components.training.contrast import in_batch_scores

NOTHING = -1
"""In place of a token, behind the end of a choice."""
AT_ONCE = 256
"""Answers to find among that are read together in a validation."""
NEVER = -1e4
"""The score of a choice that a row does not have: its probability is 0, and it teaches nothing."""


@dataclass(frozen=True)
class Examples:
    """One split: token ids of every row, cut at max_length, and its target, or those of its tokens.

    `types`: of each token which of a row's two texts it is of, where rows have two. Of a row with choices both are
    [choices, the longest of them], NOTHING behind the end of each.
    `word_counts`: outputs [rows, labels] that counting words gives, where a student learns from them too. `answers`:
    what the rows should be answered with [rows, words] and `places`: where their words begin [rows, words], NO_TARGET
    past the end, of a task whose targets are those of tokens. `candidates`: of a row that is to be found an answer for
    the numbers of its answer and its negatives, NO_TARGET where it has no more. Of a task with windows each is one;
    `rows`: the row it is of, `allowed`: the tokens that its answer may begin and end at.
    """

    ids: list[Tensor]
    targets: Tensor | list[Tensor]
    types: list[Tensor] | None = None
    word_counts: Tensor | None = None
    answers: Tensor | None = None
    places: Tensor | None = None
    candidates: Tensor | None = None
    rows: Tensor | None = None
    allowed: list[Tensor] | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row, of all its choices together."""
        return [ids.numel() for ids in self.ids]


@dataclass(frozen=True)
class TaskData:
    """A task's training and validation rows, encoded; `passages`: of a task that finds answers all of them."""

    task: Task
    max_length: int
    special_ids: Tensor
    pad_id: int
    mask_id: int
    train: Examples
    validation: Examples
    tokenizer: Tokenizer
    passages: tuple[Tensor, ...] = ()

    @classmethod
    def read(cls, rows: Path, config: TaskConfig, tokenizer: Tokenizer, share: LabelShare = EVERY_ROW) -> TaskData:
        """Read and encode a task artifact, of its training rows a share. Raises DataError naming file and line."""
        task = read_task(rows)
        train, validation = (
            encode(task, read, tokenizer, config.max_length)
            for read in (share.read(rows, task), read_split(rows / "validation.jsonl", task))
        )
        return cls(
            task,
            config.max_length,
            torch.tensor(tokenizer.all_special_ids),
            int(tokenizer.pad_token_id),
            int(tokenizer.mask_token_id),
            train,
            validation,
            tokenizer,
            passages_of(task, tokenizer, config.max_length),
        )

    @property
    def metric(self) -> Metric:
        """The metric that decides: early stopping follows it."""
        return self.task.metrics[0]

    def check_length(self, model: PreTrainedModel, task_name: str) -> None:
        """Raise ParameterError where texts are cut longer than the model can read."""
        if self.max_length > positions_of(model.config):
            raise ParameterError(
                f"tasks.{task_name}.max_length {self.max_length} is longer than the pretrained model reads "
                f"({positions_of(model.config)})",
                "lower it, or raise model.max_length and pretrain again",
            )

    def check_cut(self, task_name: str) -> int:
        """How many training rows are cut before what decides their answer, so that they teach nothing.

        Raises ParameterError where all are.
        """
        # Marks that a tokenizer cuts into pieces cannot be looked for.
        vocabulary = self.tokenizer.get_vocab()
        marks = [int(vocabulary[mark]) for mark in self.task.marks if mark in vocabulary]
        cut = sum(
            any(not bool((ids == mark).any()) for mark in marks)
            or (isinstance(self.train.targets, list) and bool((self.train.targets[row] == NO_TARGET).all()))
            for row, ids in enumerate(self.train.ids)
        )
        if cut == len(self.train.ids):
            raise ParameterError(
                f"tasks.{task_name}.max_length {self.max_length}: every training row is cut before "
                f"{'its ' + ' '.join(self.task.marks) if self.task.marks else 'its answer'}",
                "raise it: nothing can be learned",
            )
        return cut

    def _of_choices(self, examples: Examples, samples: np.ndarray | range) -> Batch:
        """Rows with choices, or of several texts that are read apart, padded to the most of them and to the longest:
        ids and mask [n, choices, length], and `present` [n, choices]: which of them there are."""
        most = max(len(ids) for ids in examples.ids)
        ids = blocks([examples.ids[index] for index in samples], most, NOTHING)
        real = ids != NOTHING
        mask = real.long()
        # A choice that is not there is read as one token of padding: attention to nothing is no number.
        mask[..., 0] = 1
        batch: Batch = {
            "input_ids": torch.where(real, ids, self.pad_id),
            "attention_mask": mask,
            "present": real.any(dim=-1),
            "targets": examples.targets[torch.tensor(samples)],
            "count": len(samples),
            "tokens": int(mask.sum()),
        }
        if examples.types is not None:
            batch["token_type_ids"] = blocks([examples.types[index] for index in samples], most, 0).clamp(min=0)
        if examples.candidates is not None:
            batch["candidates"] = examples.candidates[torch.tensor(samples)]
            batch["temperature"] = self.task.temperature
        return batch

    def passages_part(self, number: int, count: int) -> Batch:
        """Of the passages the `number`-th of `count` parts, in their order, as ids and mask [m, length]."""
        first, last = (place * len(self.passages) // count for place in (number, number + 1))
        chosen = self.passages[first:last]
        if not chosen:
            return {"passages": torch.zeros((0, 1), dtype=torch.long), "passages_mask": torch.zeros((0, 1))}
        ids = pad_sequence(list(chosen), batch_first=True, padding_value=self.pad_id)
        lengths = torch.tensor([len(one) for one in chosen])
        return {"passages": ids, "passages_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long()}

    def batch(self, examples: Examples, samples: np.ndarray | range) -> Batch:
        """The samples padded to the longest: ids and mask [n, length], targets [n] or [n, length], and what else the
        examples have, [n, ...]. `count`: targets that count."""
        if self.task.output.of_candidates:
            return self._of_choices(examples, samples)
        ids = pad_sequence([examples.ids[index] for index in samples], batch_first=True, padding_value=self.pad_id)
        lengths = torch.tensor([len(examples.ids[index]) for index in samples])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        chosen = torch.tensor(samples)
        targets, count = examples.targets, len(lengths)
        if isinstance(targets, Tensor):
            targets = targets[chosen]
        else:
            targets = pad_sequence([targets[index] for index in samples], batch_first=True, padding_value=NO_TARGET)
            count = max(1, int((targets != NO_TARGET).sum()))
        batch: Batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "targets": targets,
            "count": count,
            "tokens": int(lengths.sum()),
        }
        if examples.types is not None:
            batch["token_type_ids"] = pad_sequence([examples.types[index] for index in samples], batch_first=True)
        if examples.allowed is not None:
            batch["allowed"] = pad_sequence([examples.allowed[index] for index in samples], batch_first=True)
        more = {name: getattr(examples, name) for name in ("word_counts", "answers", "places", "rows")}
        return batch | {name: values[chosen] for name, values in more.items() if values is not None}

    def hide_tokens(self, batch: Batch, share: float, generator: torch.Generator) -> Batch:
        """A batch in which a share of the ordinary tokens is masked: as good as more rows, for a small data set."""
        ids = batch["input_ids"]
        hidden = (torch.rand(ids.shape, generator=generator) < share) & ~torch.isin(ids, self.special_ids)
        return {**batch, "input_ids": torch.where(hidden, self.mask_id, ids)}


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


def outputs_of(model: PreTrainedModel, batch: Batch) -> Tensor:
    """The head's outputs [n, labels] of a batch, or [n, length, labels]; of an encoder-decoder those of its targets; of
    texts to find the scores of the batch's candidates [n, candidates]; where tokens are what is chosen among
    [n, labels, length]."""
    outputs: Tensor = model(input_ids=one_by_one(batch["input_ids"], batch), **beside_ids(model, batch))[0]
    return by_choice(outputs, batch)


def one_by_one(values: Tensor, batch: Batch) -> Tensor:
    """Of rows with choices, [n, choices, length], what is of each choice; of others what there is."""
    return values.flatten(0, 1) if "present" in batch else values


def by_choice(outputs: Tensor, batch: Batch) -> Tensor:
    """Outputs [n * choices, 1] as [n, choices], NEVER where a row has no more choices; vectors as the scores of the
    batch's candidates; of windows [n, length, labels] as [n, labels, length], NEVER where no answer may be; others as
    they are."""
    if "allowed" in batch:
        return outputs.float().mT.masked_fill(~batch["allowed"][:, None], NEVER)
    if "present" not in batch:
        return outputs
    if "candidates" in batch:
        return in_batch_scores(outputs, batch, NEVER)
    present = batch["present"]
    return outputs.float().view(present.shape).masked_fill(~present, NEVER)


def blocks(rows: Sequence[Tensor], most: int, value: int) -> Tensor:
    """Rows [choices, length] as one tensor [n, most, the longest]."""
    found = torch.full((len(rows), most, max(row.shape[1] for row in rows)), value)
    for number, row in enumerate(rows):
        found[number, : row.shape[0], : row.shape[1]] = row
    return found


def beside_ids(model: PreTrainedModel, batch: Batch) -> Batch:
    """What a model reads of a batch beside its token ids; of an encoder-decoder what its decoder reads as well."""
    names = ("attention_mask", *(("token_type_ids",) if takes_types(model.config) else ()))
    found = {name: one_by_one(batch[name], batch) for name in names if name in batch}
    if model.config.is_encoder_decoder:
        found["decoder_input_ids"] = decoder_input_ids(model.config, batch["targets"])
    return found


def training_texts(rows: Path, share: LabelShare = EVERY_ROW) -> list[str]:
    """The texts of a share of the training rows, and the passages. Raises DataError naming file and line."""
    task = read_task(rows)
    return [text for row in share.read(rows, task) for text in parts(task.text(row))] + list(task.passages)


def encode(task: Task, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> Examples:
    """Token ids and target of each row."""
    examples = task.encode(rows, tokenizer, max_length)
    if task.output.per_choice:
        ids, kinds = (_by_row(examples, name) for name in ("input_ids", "token_type_ids"))
        return Examples(ids, torch.from_numpy(task.targets(rows)), kinds)
    if task.output.embeds:
        candidates = torch.from_numpy(np.asarray(task.learned(rows, examples)))
        return Examples(_by_row(examples, "input_ids"), torch.from_numpy(task.targets(rows)), candidates=candidates)
    ids = [torch.tensor(example.features["input_ids"]) for example in examples]
    if task.output.over_tokens:
        return _of_windows(task, rows, examples, ids)
    if not task.output.per_token:
        types = [torch.tensor(one.features["token_type_ids"]) for one in examples] if task.reads_pairs else None
        return Examples(ids, torch.from_numpy(task.targets(rows)), types)
    return Examples(
        ids,
        [torch.from_numpy(targets) for targets in task.learned(rows, examples)],
        answers=torch.from_numpy(task.targets(rows)),
        places=torch.from_numpy(padded([example.places for example in examples])),
    )


def passages_of(task: Task, tokenizer: Tokenizer, max_length: int) -> tuple[Tensor, ...]:
    """Token ids of each of a task's passages."""
    if not task.passages:
        return ()
    found = tokenizer(list(task.passages), truncation=True, max_length=max_length)["input_ids"]
    return tuple(map(torch.tensor, found))


def _of_windows(task: Task, rows: Sequence[Row], examples: Sequence[Example], ids: list[Tensor]) -> Examples:
    """A sample a window: its targets may be any token that it may answer with."""
    numbers = torch.tensor([example.row for example in examples])
    places = [torch.from_numpy(example.places) for example in examples]
    return Examples(
        ids,
        [torch.from_numpy(targets) for targets in task.learned(rows, examples)],
        [torch.tensor(example.features["token_type_ids"]) for example in examples],
        answers=torch.from_numpy(task.targets(rows))[numbers],
        places=pad_sequence(places, batch_first=True, padding_value=NO_TARGET),
        rows=numbers,
        allowed=[torch.from_numpy(task.answerable(example)) for example in examples],
    )


def _by_row(examples: Sequence[Example], name: str) -> list[Tensor]:
    """A feature of the examples of each row, [choices, the longest of them], NOTHING behind the end of each."""
    rows: dict[int, list[list[int]]] = {}
    for example in examples:
        rows.setdefault(example.row, []).append(example.features[name])
    return [torch.from_numpy(padded(found, NOTHING)) for found in rows.values()]
