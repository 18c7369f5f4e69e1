"""Learning rate schedules: name -> share of the peak rate as a pure function of the step, so nothing is to be saved.

Every schedule begins with a linear warm-up over `warmup` steps; `done` is the share of what comes after it, in 0 .. 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

DECAY_SHARE = 0.2
"""Share of the steps in which warmup-stable-decay falls (Hu 2024, MiniCPM)."""


def constant(done: float, step: int, warmup: int) -> float:
    """The peak until the end."""
    return 1.0


def linear(done: float, step: int, warmup: int) -> float:
    """A straight line to zero (Devlin 2019)."""
    return 1.0 - done


def cosine(done: float, step: int, warmup: int) -> float:
    """Half a cosine down to zero (Loshchilov & Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def warmup_stable_decay(done: float, step: int, warmup: int) -> float:
    """The peak, then down to zero over the last fifth as 1 - sqrt (Hägele 2024)."""
    late = (done - (1.0 - DECAY_SHARE)) / DECAY_SHARE
    return 1.0 - math.sqrt(late) if late > 0 else 1.0


def inverse_square_root(done: float, step: int, warmup: int) -> float:
    """One over the root of the step (Vaswani 2017); never reaches zero, needs no end."""
    return math.sqrt(max(warmup, 1) / max(step + 1, warmup, 1))


SCHEDULES: dict[str, Callable[[float, int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "warmup_stable_decay": warmup_stable_decay,
    "inverse_square_root": inverse_square_root,
}


def learning_rate_factor(schedule: str, step: int, steps: int, warmup_fraction: float) -> float:
    """Share of the peak learning rate at a step counted from 0, of `steps`."""
    warmup = round(steps * warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    return SCHEDULES[schedule](min(done, 1.0), step, warmup)
