"""Numbers that the environment gives: how a stage works here, never what it computes."""

from __future__ import annotations

import math
import os

from components.errors import ParameterError

CHECKPOINT_SECONDS = "LIANZI_CHECKPOINT_SECONDS"
"""Between two checkpoints of a training; 0: after every step."""
GPU_POOL = "LIANZI_GPU_POOL"
"""The work pool of Prefect whose workers train; unset: a run trains by itself."""
GPU_WAIT_SECONDS = "LIANZI_GPU_WAIT_SECONDS"
"""How long a training waits for a worker of that pool to be there."""
LOADER_WORKERS = "LIANZI_LOADER_WORKERS"
"""Processes that make a training's batches; 0: the training's own."""
WORKERS = "LIANZI_WORKERS"
"""Processes of the local engine; unset: one a core."""


def checkpoint_seconds() -> float:
    """Raises ParameterError where the variable holds no number of seconds."""
    return _seconds(CHECKPOINT_SECONDS, "60")


def gpu_wait_seconds() -> float:
    """Raises ParameterError where the variable holds no number of seconds."""
    return _seconds(GPU_WAIT_SECONDS, "600")


def loader_workers() -> int:
    """Raises ParameterError where the variable holds no number of processes."""
    return _count(LOADER_WORKERS, least=0) or 0


def workers() -> int | None:
    """None where the variable is not set. Raises ParameterError where it holds no number of processes."""
    return _count(WORKERS, least=1)


def check_variables() -> None:
    """Raises ParameterError for the first variable that holds no number: before any stage works for minutes."""
    for read in (checkpoint_seconds, gpu_wait_seconds, loader_workers, workers):
        read()


def _seconds(name: str, default: str) -> float:
    given = os.environ.get(name, "") or default
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ParameterError(f"{name}={given}: not a number of seconds", "set it to 0 or more, or unset it")
    return seconds


def _count(name: str, least: int) -> int | None:
    given = os.environ.get(name, "")
    if not given:
        return None
    if not (given.isascii() and given.isdecimal()) or int(given) < least:
        raise ParameterError(f"{name}={given}: not a number of processes", f"set it to {least} or more, or unset it")
    return int(given)
