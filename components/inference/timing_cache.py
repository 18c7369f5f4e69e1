"""What TensorRT measured of its kernels: kept, so that it is measured once and a second build picks the same ones.

One file a device, CUDA, TensorRT version and set of flags, which is what NVIDIA ties a timing cache to. TensorRT-RTX
has none: there it does nothing and asks for a GPU, which a build must not need (NVIDIA, "Timing Cache Migration").
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.inference.nvidia import Host


def engines_root() -> Path:
    """.cache/engines, or below LIANZI_CACHE: what is built for one machine, and can be built again."""
    return Path(os.environ.get("LIANZI_CACHE", ".cache"), "engines")


@dataclass(frozen=True)
class TimingCache:
    """The file for one host, version and set of flags."""

    path: Path

    @classmethod
    def of(cls, host: Host, version: str, flags: tuple[str, ...]) -> TimingCache:
        """Found by what the timings depend on."""
        depends = f"{host.device} {host.compute_capability} {host.cuda} {version} {' '.join(flags)}"
        return cls(engines_root() / "timings" / f"{hashlib.sha256(depends.encode()).hexdigest()[:16]}.cache")

    def attach(self, config: Any) -> None:
        """Build with what is known; a file that TensorRT does not take is begun anew."""
        known = self.path.read_bytes() if self.path.is_file() else b""
        for content in (known, b""):
            cache = config.create_timing_cache(content)
            if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
                return

    def keep(self, config: Any) -> None:
        """Write what is known after a build, whole or not at all."""
        cache = config.get_timing_cache()
        content = cache and cache.serialize()
        if content:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(bytes(content))
            partial.replace(self.path)
