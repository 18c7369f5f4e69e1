"""The batches of a training as a map from step to batch: Lightning walks it from front to back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from components.modeling.objectives import Batch, LanguageObjective
from components.tokenization.reader import PackedTokens
from components.training.order import WindowOrder
from components.training.randomness import derived_torch


class StepBatches(Dataset[Batch]):
    """`make(step)` for each step from 0 on."""

    def __init__(self, steps: int, make: Callable[[int], Batch]) -> None:
        self.steps, self.make = steps, make

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        return self.make(step)


def loader(steps: int, make: Callable[[int], Batch]) -> DataLoader[Batch]:
    """A DataLoader over `make(0)` to `make(steps - 1)`, in that order."""
    return DataLoader(StepBatches(steps, make), batch_size=None, shuffle=False, collate_fn=_as_it_is)


def window_batch(
    tokens: PackedTokens, order: WindowOrder, objective: LanguageObjective, seed: int, purpose: str
) -> Callable[[int], Batch]:
    """Step -> windows of packed tokens, prepared by an objective with the step's own generator."""

    def make(step: int) -> Batch:
        ids = torch.from_numpy(tokens.gather(order.starts(step), order.length))
        return objective.prepare(ids, derived_torch(seed, purpose, step))

    return make


def _as_it_is(batch: Any) -> Any:
    return batch
