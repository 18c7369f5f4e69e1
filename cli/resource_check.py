"""Refuses a run that will not fit: the memory or disk needed, the free amount, and parameters to change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from components.errors import DoesNotFit
from components.modeling.config import HEAD_DIM
from components.params import Params
from components.stages import section_of

CGROUP = Path("/sys/fs/cgroup")
_VERSIONS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""The limit and the usage of a cgroup's memory, of version 2 and of version 1."""
_ROOM = 0.9
"""The largest share of the free memory for a suggested value: the suggestion is an estimate."""


def check_fits(stage: str, profile: dict[str, Any], params: Params, free_memory: int, free_disk: int) -> None:
    """Raises DoesNotFit where a profiled stage needs more memory or disk than is free. All in bytes."""
    measured, on_gpu = profile["measured"], profile["gpu_memory_free"]
    rough = profile["fixed_memory"] + profile["activations"]
    if on_gpu:
        _check_memory(stage, measured["peak_gpu_memory"] if measured else rough, on_gpu, profile, params, "the GPU")
    host = measured["peak_memory"] if measured else 0 if on_gpu else profile["processes"] * rough
    _check_memory(stage, host, free_memory, profile, params, "this machine")
    if profile["disk"] > free_disk:
        raise DoesNotFit(
            f"{stage} needs {_gigabytes(profile['disk'])} of disk, {_gigabytes(free_disk)} are free here",
            f"free some, or {_smaller_model(params, free_disk / profile['disk'])}",
        )


def _check_memory(stage: str, needed: int, free: int, profile: dict[str, Any], params: Params, where: str) -> None:
    if needed <= free:
        return
    raise DoesNotFit(
        f"{stage} needs {_gigabytes(needed)} of memory, {where} has {_gigabytes(free)} free",
        ", or ".join(remedies(stage, needed, free, profile["activations"], params)),
    )


def remedies(stage: str, needed: int, free: int, activations: int, params: Params) -> list[str]:
    """Suggested changes, the least intrusive first. Only activations shrink with the batch; otherwise the model must be
    smaller.
    """
    section, trainer = section_of(stage), params.trainer
    batch = params.section(section).batch_size
    wanted = _ROOM * free
    share = (wanted - (needed - activations)) / activations
    if share <= 0:
        return [_smaller_model(params, wanted / needed)]
    found = []
    fewest = 2 * trainer.devices * trainer.accumulate
    if (rows := int(batch * share)) >= fewest:
        found.append(f"lower {section}.batch_size to {rows}")
    parts = int(trainer.accumulate / share) + 1
    if batch >= 2 * trainer.devices * parts:
        found.append(f"set trainer.accumulate to {parts}")
    if not trainer.checkpoint_activations:
        found.append("set trainer.checkpoint_activations to true")
    return found or [_smaller_model(params, wanted / needed)]


def _smaller_model(params: Params, share: float) -> str:
    """`share`: of the present need that fits. Parameters grow with the square of the width, which is the depth's where
    it has no number of its own."""
    if params.pretrain.init_from is not None:
        return "choose a smaller pretrain.init_from"
    if params.model.width is not None:
        heads = max(1, int(params.model.width * share**0.5) // HEAD_DIM)
        return f"lower model.width to about {heads * HEAD_DIM}"
    return f"lower model.depth to about {max(1, int(params.model.depth * share ** (1 / 3)))}"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"


def free_memory() -> int:
    """The memory available without swapping, by the machine's and the container's accounting."""
    import psutil

    available = int(psutil.virtual_memory().available)
    allowed = _allowed(CGROUP)
    return available if allowed is None else min(available, allowed)


def free_disk(root: Path) -> int:
    return shutil.disk_usage(root).free


def _allowed(folder: Path) -> int | None:
    """The rest of a cgroup's limit; None without one."""
    for limit, use in _VERSIONS:
        try:
            told, used = ((folder / name).read_text(encoding="utf-8").strip() for name in (limit, use))
            statistics = (folder / limit).with_name("memory.stat").read_text(encoding="utf-8").split()
        except OSError:
            continue
        if not told.isdigit():
            return None
        # The cache of files counts as used, but gives way.
        cache = dict(zip(statistics[::2], statistics[1::2], strict=True)).get("inactive_file", "0")
        return max(int(told) - int(used) + int(cache), 0)
    return None
