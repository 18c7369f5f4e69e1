"""Built engines, kept beside the project's artifacts and never among them.

TensorRT-RTX gives other bytes from one build to the next, and an engine belongs to the machine it is for, so engines
are a cache: found by what they are made from, made again where they are missing. See docs/decisions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from components.artifacts import file_hash, staged
from components.deployment.engines import Engine, Profile

KEPT = 16
"""Engines of one kind the store holds."""


def engine_file(engine: Engine, onnx: Path, profile: Profile) -> Path:
    """The file to load for a graph, built if it is not there yet. Raises EngineError."""
    if engine.writes is None:
        return engine.build(onnx, onnx.parent, profile)
    folder = _root() / engine.name / _key(engine, onnx, profile)
    if not (folder / engine.writes).is_file():
        with staged(folder) as partial:
            engine.build(onnx, partial, profile)
        _forget_old(folder.parent)
    return folder / engine.writes


def _forget_old(store: Path) -> None:
    """Keep the engines built last: every training leaves one behind."""
    built = sorted(store.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for folder in built[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return Path(os.environ.get("LIANZI_CACHE", ".cache"), "engines")


def _key(engine: Engine, onnx: Path, profile: Profile) -> str:
    made_from = f"{file_hash(onnx)} {engine.version()} {profile.max_batch} {profile.max_length}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]
