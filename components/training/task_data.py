"""A task's rows, encoded, and as batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.errors import ParameterError
from components.modeling.architectures import positions_of
from components.modeling.objectives.objective import Batch
from components.tasks.config import TaskConfig
from components.tasks.metrics import Metric
from components.tasks.rows import EVERY_ROW, LabelShare, read_split, read_task
from components.tasks.task import NO_TARGET, Example, Row, Task, padded, parts

NOTHING = -1
"""In place of a token, behind the end of a choice."""


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


def blocks(rows: Sequence[Tensor], most: int, value: int) -> Tensor:
    """Rows [choices, length] as one tensor [n, most, the longest]."""
    found = torch.full((len(rows), most, max(row.shape[1] for row in rows)), value)
    for number, row in enumerate(rows):
        found[number, : row.shape[0], : row.shape[1]] = row
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
