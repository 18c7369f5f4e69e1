"""What this machine, or the container this runs in, has free. Bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
_VERSIONS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Limit and use of a cgroup's memory, of version 2 and of version 1."""


def free_memory() -> int:
    """What may still be used without swapping, by the machine's account and the container's."""
    import psutil

    available = int(psutil.virtual_memory().available)
    allowed = _allowed(CGROUP)
    return available if allowed is None else min(available, allowed)


def free_disk(root: Path) -> int:
    return shutil.disk_usage(root).free


def _allowed(folder: Path) -> int | None:
    """What a cgroup leaves of its limit; None without one."""
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
