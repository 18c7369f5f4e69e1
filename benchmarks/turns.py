"""Contenders that each run a loop of their own, made to take one step at a time, in turn, in one thread.

Frameworks own their loops; each runs in a greenlet and hands over where its data source asks for the next step. One
thread for all: they share torch's thread pool as they would own it alone, and no one waits for another's lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from greenlet import getcurrent, greenlet


@dataclass
class Contender:
    """`train` runs all steps, calling `hand_over` where it asks for a step's data; `losses`: one a step, in order.

    `deterministic`: whether its users train with torch's deterministic kernels. `seconds`: of each turn after warm-up.
    """

    name: str
    train: Callable[[Contender], None]
    deterministic: bool = False
    losses: list[torch.Tensor] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def hand_over() -> None:
    """End this contender's turn; returns when its next one begins."""
    parent = getcurrent().parent
    if parent is not None:
        parent.switch()


def take_turns(contenders: list[Contender], warm_up: int, rounds: int) -> None:
    """Give everyone `warm_up` turns nobody times, then `rounds` timed ones, then the time to finish.

    The order is reversed every round, so that nobody always comes after the same neighbour.
    """
    running = {contender.name: greenlet(contender.train) for contender in contenders}

    def turn(contender: Contender) -> float:
        # A global switch: set for each turn, or the peers would pay for our determinism.
        torch.use_deterministic_algorithms(contender.deterministic)
        if running[contender.name].dead:
            raise RuntimeError(f"{contender.name} ended before its last turn")
        began = time.perf_counter()
        running[contender.name].switch(contender)
        return time.perf_counter() - began

    for number in range(warm_up + rounds):
        for contender in contenders if number % 2 else reversed(contenders):
            spent = turn(contender)
            if number >= warm_up:
                contender.seconds.append(spent)
    for contender in contenders:
        while not running[contender.name].dead:
            turn(contender)
