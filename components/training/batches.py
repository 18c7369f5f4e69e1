"""The batches of a training as a map from step to batch, divided among ranks and micro-batches.

Lightning walks it a segment at a time: from one validation to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from components.errors import ParameterError
from components.modeling.objectives.objective import Batch, PretrainingObjective
from components.tokenization.reader import PackedTokens
from components.training import ranks
from components.training.order import WindowOrder
from components.training.randomness import seeded_torch_generator
from components.variables import loader_workers

Make = Callable[[int, slice], Batch]
"""(step, rows) -> these rows of the step's global batch."""


@dataclass(frozen=True)
class Part:
    """A place among the equal parts of a global batch; micro-batches of one rank lie `ranks` parts apart."""

    number: int
    of: int

    def rows(self, size: int) -> slice:
        """This part of `size` rows; parts differ by one row at most."""
        return slice(self.number * size // self.of, (self.number + 1) * size // self.of)


class Segment(Dataset[Batch]):
    """The micro-batches of the steps from `first` to before `last`, for one rank."""

    def __init__(self, make: Make, sizes: Callable[[int], int], first: int, last: int, accumulate: int) -> None:
        self.make, self.sizes, self.first, self.last, self.accumulate = make, sizes, first, last, accumulate
        self.rank, self.world = ranks.rank(), ranks.world_size()

    def __len__(self) -> int:
        return (self.last - self.first) * self.accumulate

    def __getitem__(self, index: int) -> Batch:
        step, micro = divmod(index, self.accumulate)
        part = Part(micro * self.world + self.rank, self.accumulate * self.world)
        step += self.first
        return self.make(step, part.rows(self.sizes(step)))


class ValidationBatches(Dataset[Batch]):
    """A rank's share of the validation batches: every `world`-th.

    All ranks get equally many; those past the end come again and are dropped from the result.
    """

    def __init__(self, count: int, make: Callable[[int], Batch]) -> None:
        self.count, self.make = count, make
        self.rank, self.world = ranks.rank(), ranks.world_size()

    def __len__(self) -> int:
        return -(-self.count // self.world)

    def __getitem__(self, index: int) -> Batch:
        return self.make(min(index * self.world + self.rank, self.count - 1))


@dataclass(frozen=True)
class Batches:
    """What a training reads. `sizes`: step -> rows of its global batch; `samples`: step -> what they are."""

    make: Make
    sizes: Callable[[int], int]
    samples: Callable[[int], Any]
    validation: Callable[[int], Batch]
    validation_count: int


class StepData(LightningDataModule):
    """Loaders for Lightning: one segment after the other, from wherever the training stands."""

    def __init__(self, batches: Batches, segment: Callable[[], tuple[int, int]], accumulate: int) -> None:
        super().__init__()
        self.batches, self.segment, self.accumulate = batches, segment, accumulate

    def train_dataloader(self) -> DataLoader[Batch]:
        first, last = self.segment()
        batches = self.batches
        return _loader(Segment(batches.make, batches.sizes, first, last, self.accumulate))

    def val_dataloader(self) -> DataLoader[Batch]:
        return _loader(ValidationBatches(self.batches.validation_count, self.batches.validation))


def window_batches(
    training: PackedTokens,
    validation: PackedTokens,
    objective: PretrainingObjective,
    length: int,
    batch_size: int,
    validation_sequences: int,
    seed: int,
) -> Batches:
    """Windows of packed tokens, prepared by an objective with each step's own generator."""
    order, held_out = (WindowOrder(len(tokens), length, batch_size, seed) for tokens in (training, validation))

    def prepared(tokens: PackedTokens, starts: Any, split: str, step: int, rows: slice) -> Batch:
        ids: Tensor = torch.from_numpy(tokens.gather(starts, length))
        return objective.prepare(ids, seeded_torch_generator(seed, split, step), rows)

    return Batches(
        make=lambda step, rows: prepared(training, order.samples(step), "train", step, rows),
        sizes=lambda step: batch_size,
        samples=order.samples,
        validation=lambda step: prepared(validation, held_out.samples(step), "validation", step, slice(None)),
        validation_count=-(-validation_sequences // batch_size),
    )


def check_division(batch_size: int, parts: int) -> None:
    """Raise ParameterError where a batch is too small for ranks x micro-batches; a bucketed one may be half full."""
    if 1 < parts > batch_size // 2:
        raise ParameterError(
            f"a batch of {batch_size} rows is too small for {parts} parts (trainer.devices x trainer.accumulate)",
            f"raise batch_size to {2 * parts} or more, or lower trainer.devices or trainer.accumulate",
        )


def _loader(dataset: Dataset[Batch]) -> DataLoader[Batch]:
    return DataLoader(
        dataset,
        batch_size=None,
        shuffle=False,
        collate_fn=_as_it_is,
        num_workers=loader_workers(),
        pin_memory=torch.cuda.is_available(),
    )


def _as_it_is(batch: Any) -> Any:
    return batch
