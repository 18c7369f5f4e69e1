"""How fast a reader of windows is, measured the same way for every reader, in the process that calls it.

Imports nothing but torch, since it runs in the peers' environments too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import torch


def pace(opened: Callable[[], Iterator[torch.Tensor]], shape: tuple[int, int], tokens: int) -> str:
    """JSON: milliseconds from opening to the first batch, then microseconds per 1,000 of the next `tokens` tokens."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    batches = opened()
    first = next(batches)
    ready = time.perf_counter()
    steps = tokens // first.numel()
    for _ in range(steps):
        last = next(batches)
    seconds = time.perf_counter() - ready
    for batch in (first, last):
        if batch.shape != shape or batch.dtype != torch.int64:
            raise ValueError(f"a batch is {batch.dtype} {tuple(batch.shape)}, not int64 {shape}")
    if torch.equal(first, last):
        raise ValueError("the same batch twice")
    return json.dumps({"first": 1e3 * (ready - began), "thousand": 1e9 * seconds / (steps * first.numel())})
