"""Which of the processes of one training this is, and what they tell each other."""

from __future__ import annotations

import os

import torch
from torch import Tensor, distributed

_RANK_VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Set by torchrun, Slurm and Lightning's own launcher, in that order of trust."""


def rank() -> int:
    """This process's number among those that train together; 0 alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    return next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)


def world_size() -> int:
    """How many processes train together, once they have met; 1 before that."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def leads() -> bool:
    """Whether this process is the one that writes and reports."""
    return rank() == 0


def agreed(flag: bool, device: torch.device) -> bool:
    """Whether any of the ranks says so. All must ask."""
    if world_size() == 1:
        return flag
    votes = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(votes, op=distributed.ReduceOp.MAX)
    return bool(votes.item())


def led(flag: bool) -> bool:
    """What the leading rank says, on each of them. All must ask."""
    return agreed(flag and leads(), torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def summed(values: Tensor) -> Tensor:
    """The sum over all ranks, on each of them."""
    if world_size() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def gathered(tensor: Tensor) -> list[Tensor]:
    """The tensors of all ranks, in their order. They may differ in length along the first dimension."""
    world = world_size()
    if world == 1:
        return [tensor]
    lengths = [torch.zeros(1, dtype=torch.int64, device=tensor.device) for _ in range(world)]
    distributed.all_gather(lengths, torch.tensor([len(tensor)], device=tensor.device))
    longest = max(int(length) for length in lengths)
    padded = tensor.new_zeros((longest, *tensor.shape[1:]))
    padded[: len(tensor)] = tensor
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return [part[: int(length)] for part, length in zip(parts, lengths, strict=True)]
