"""What measured figures depend on, without naming the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "i8mm")
"""Instruction sets that training in bf16 and inference in int8 live on."""


def machine() -> dict[str, object]:
    """Processor, cores, instructions, system. No name, no address."""
    flags = cpu_flags()
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "instructions": [flag for flag in INSTRUCTIONS if flag in flags],
        "python": platform.python_version(),
        "system": platform.system(),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of the packages that measured figures depend on."""
    return {package: metadata.version(package) for package in packages}


def processor() -> str:
    """The processor's model, as it calls itself."""
    named = (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def cpu_flags() -> set[str]:
    """The instruction sets Linux lists for the first core; empty elsewhere."""
    lines = (line for line in _cpuinfo() if line.startswith(("flags", "Features")))
    return next((set(line.partition(":")[2].split()) for line in lines), set())


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
