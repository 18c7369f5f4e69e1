"""Built engines, kept beside the project's artifacts and never among them.

TensorRT-RTX gives other bytes from one build to the next, and an engine belongs to the machine it is for, so engines
are a cache: found by graph, profile and flags, and made again where they are missing, or where their fingerprint says
that they were made for another runtime or machine. See docs/decisions.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.artifacts import Former, file_hash, write_json
from components.inference.engines import Engine, Profile, Session
from components.inference.fingerprint import FINGERPRINT, fingerprint, read_fingerprint
from components.inference.timing_cache import engines_root
from components.staging import staged

KEPT = 16
"""Engines of one kind the store holds."""

STATUS = "status.json"
"""Beside an engine: what became of it when it was tried."""

Say = Callable[[str], None]


def say(line: str) -> None:
    """A line for whoever waits."""
    print(line, file=sys.stderr, flush=True)


def load_engine(engine: Engine, onnx: Path, profile: Profile, say: Say = say) -> Session:
    """A session of an engine that was built for this machine, now if need be. Raises EngineError."""
    return engine.load(engine_file(engine, onnx, profile, say))


def engine_file(engine: Engine, onnx: Path, profile: Profile, say: Say = say) -> Path:
    """The file to load for a graph, built if it is not there yet or does not fit this machine. Raises EngineError."""
    if engine.writes is None:
        return engine.build(onnx, onnx.parent, profile)
    folder = engine_folder(engine, onnx, profile)
    path = folder / engine.writes
    if path.is_file():
        reason = _unfit(engine, onnx, profile, path)
        if reason is None:
            return path
        say(f"{engine.name}: {reason}: building it again")
    # Several servers may start at once: the second waits, since it needs the engine all the same.
    with staged(folder, _former(engine), wait=True) as partial:
        built = engine.build(onnx, partial, profile)
        fingerprint(engine, onnx, profile, built).write(partial)
    _forget_old(folder.parent)
    return path


def _former(engine: Engine) -> Former:
    """A folder of the store holds one engine and what is noted of it."""
    known = {engine.writes, FINGERPRINT, STATUS}

    def speaks_against(folder: Path) -> str | None:
        return next((f"{path}: no part of an engine" for path in folder.iterdir() if path.name not in known), None)

    return speaks_against


def engine_folder(engine: Engine, onnx: Path, profile: Profile) -> Path:
    """Where an engine for this graph, profile and flags is kept."""
    made_from = f"{file_hash(onnx)} {profile} {' '.join(engine.flags)}"
    return engines_root() / engine.name / hashlib.sha256(made_from.encode()).hexdigest()[:16]


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Note what became of the engine in `folder`."""
    write_json(folder / STATUS, status)


def _unfit(engine: Engine, onnx: Path, profile: Profile, path: Path) -> str | None:
    """Why the engine at `path` must not be loaded here, or None."""
    built = read_fingerprint(path.parent)
    if not built:
        return "the engine has no fingerprint"
    here = fingerprint(engine, onnx, profile, path)
    differs = here.differs(built)
    if not differs:
        return None
    if differs == ["file"]:
        return "the engine was changed since it was built"
    return f"the engine was built for {here.told(differs, built)}; here is {here.told(differs)}"


def _forget_old(store: Path) -> None:
    """Keep the engines built last: every training leaves one behind."""
    built = sorted(store.glob("[!.]*"), key=lambda folder: folder.stat().st_mtime_ns)
    for folder in built[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
