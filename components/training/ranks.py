"""The rank of this process in a distributed training, and collective operations."""

from __future__ import annotations

import os

import torch
from torch import Tensor, distributed

_RANK_VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Set by torchrun, Slurm and Lightning's own launcher, in that order of trust."""


def rank() -> int:
    """The rank of this process; 0 where it trains alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    return next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)


def world_size() -> int:
    """The number of processes that train together; 1 before the process group is initialized."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_rank_zero() -> bool:
    """Whether this process writes and reports: rank 0 does."""
    return rank() == 0


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any rank. Every rank has to call it."""
    if world_size() == 1:
        return flag
    votes = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(votes, op=distributed.ReduceOp.MAX)
    return bool(votes.item())


def rank_zero_says(flag: bool) -> bool:
    """The flag of rank 0, on every rank. Every rank has to call it."""
    return any_rank(flag and is_rank_zero(), torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def all_reduce_sum(values: Tensor) -> Tensor:
    """The sum over all ranks, on every rank. Every rank has to call it."""
    if world_size() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def all_gather_ragged(tensor: Tensor) -> list[Tensor]:
    """The tensors of all ranks, in rank order; their first dimensions may differ. Every rank has to call it."""
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
