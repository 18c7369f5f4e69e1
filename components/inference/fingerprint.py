"""What a built engine was made of and on: written beside it, compared before it is loaded.

A runtime that meets an engine of another version, GPU or driver refuses it late and darkly at best (triton-inference-
server/server#7613); so an engine that does not match this machine is built again from its ONNX file instead.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import file_hash, write_json

if TYPE_CHECKING:
    from components.inference.engines import Engine, Profile

FINGERPRINT = "fingerprint.json"
LONG = ("onnx", "file")
"""Fields whose values are hashes: shown by their beginning."""


@dataclass(frozen=True)
class Fingerprint:
    """`onnx` and `file` are the SHA-256 of the graph and of the engine itself; None is what is not there."""

    runtime: str
    version: str
    device: str | None
    compute_capability: str | None
    cuda: str | None
    driver: str | None
    profile: str
    flags: tuple[str, ...]
    onnx: str
    file: str | None

    def write(self, folder: Path) -> None:
        write_json(folder / FINGERPRINT, asdict(self))

    def differs(self, built: dict[str, Any]) -> list[str]:
        """The fields in which an engine, by its fingerprint as read, does not fit here."""
        here = json.loads(json.dumps(asdict(self)))  # as JSON has it: a tuple is a list
        names = [name for name in here if built.get(name, "nothing") != here[name]]
        return [name for name in names if not self._tolerates(name, built)]

    def _tolerates(self, name: str, built: dict[str, Any]) -> bool:
        """What the engine was built to bear: a later version of the same runtime, another GPU from Ampere on."""
        if name == "version" and "version_compatible" in self.flags:
            return _numbers(built.get(name)) <= _numbers(self.version)
        if name in ("device", "compute_capability") and "hardware_compatible" in self.flags:
            return min(_numbers(self.compute_capability), _numbers(built.get("compute_capability"))) >= [8]
        return False

    def told(self, names: Sequence[str], values: dict[str, Any] | None = None) -> str:
        """Some fields in words."""
        found = asdict(self) if values is None else values
        return ", ".join(f"{name.replace('_', ' ')} {_shown(name, found.get(name))}" for name in names)


def fingerprint(engine: Engine, onnx: Path, profile: Profile, file: Path | None = None) -> Fingerprint:
    """Of an engine built here from this graph; `file` is the built engine, once there is one."""
    host = engine.host()
    return Fingerprint(
        runtime=engine.name,
        version=engine.version(),
        device=host.device,
        compute_capability=host.compute_capability,
        cuda=host.cuda,
        driver=host.driver,
        profile=str(profile),
        flags=engine.flags,
        onnx=file_hash(onnx),
        file=file_hash(file) if file is not None else None,
    )


def read_fingerprint(folder: Path) -> dict[str, Any]:
    """As it was written; empty where there is none, or one that cannot be read."""
    try:
        content = json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _numbers(version: Any) -> list[int]:
    """Versions as numbers, to compare them; nothing comes before everything."""
    parts = str(version or "").split(".")
    return [int(part) for part in parts if part.isdigit()]


def _shown(name: str, value: Any) -> str:
    if name in LONG and value:
        return str(value)[:12]
    return (" ".join(value) if isinstance(value, list | tuple) else str(value or "")) or "none"
