"""What the tables of benchmarks/coverage.py prove alike, of a pretraining, a fine-tuning and a distillation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from components.artifacts import digest
from components.run import RecordedRun

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

OVERFITTED = 0.5
"""Of the loss of the first step, that a batch's loss falls below."""

Cell = dict[str, Any]
"""A field of a table. `done`: the proofs that held, in their order; `refused`: instead of it, what would fit; `failed`:
what did not hold."""


class Training(Protocol):
    """A stage that trains in a folder. `killed_at`: the step after whose checkpoint it is killed."""

    killed_at: ClassVar[int]

    @property
    def folder(self) -> Path: ...

    def run(self, name: str, store: str, run: Any) -> Any:
        """The stage, what it makes in a folder of this name."""


class Killed(RecordedRun):
    """Ends its process by SIGKILL at a step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.last = step

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        if step >= self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        super().log_metrics(metrics, step)


def goes_on_after_a_kill(training: Training) -> None:
    """SIGKILL in a process of its own after a checkpoint, and again to the end: the same bytes."""
    child = os.fork()
    if child == 0:
        training.run("parts", "store", Killed(training.killed_at))
        os._exit(1)  # it should not have come to this
    _, status = os.waitpid(child, 0)
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "was not killed")
    run = RecordedRun()
    training.run("parts", "store", run)
    check(any("going on from step" in line for line in run.lines), "found no checkpoint")
    check(digest(training.folder / "parts") == digest(training.folder / "whole"), "other bytes than uninterrupted")


def overfits(optimizer: Optimizer, loss_of: Callable[[], Tensor], wanted: float = OVERFITTED) -> None:
    """Steps on one batch until its loss is below `wanted` of what it was."""
    losses: list[float] = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < wanted * losses[0]:
            return
    check(False, f"loss {losses[0]:.2f} fell to {losses[-1]:.2f} in {len(losses)} steps")


def check(holds: bool, otherwise: str) -> None:
    """Raise where a proof does not hold."""
    if not holds:
        raise AssertionError(otherwise)
