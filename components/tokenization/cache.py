"""Token shards that were made before, each whole or not there, under a key of everything they depend on.

.cache/tokens/KEY/{00000.bin, …, documents.parquet, counts.json}; counts.json holds the SHA-256 of the others, so that a
changed byte is never handed out. Outside DVC's outs, which DVC deletes before a stage starts.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.artifacts import file_hash, write_json

KEPT_RUNS = 3
"""Runs with different corpora or settings whose shards are held."""
STALE_SECONDS = 86_400
"""Age at which a half-written entry is surely nobody's."""
COUNTS = "counts.json"
_RUNS = "runs.json"


def cache_folder() -> Path:
    """.cache/tokens, or below LIANZI_CACHE; absolute, for workers elsewhere."""
    return Path(os.environ.get("LIANZI_CACHE", ".cache"), "tokens").absolute()


def find(folder: Path, key: str) -> dict[str, Any] | None:
    """The counts of an entry that is as it was written, or None; a damaged one is removed."""
    entry = folder / key
    try:
        counts: dict[str, Any] = json.loads((entry / COUNTS).read_text(encoding="utf-8"))
        if all(file_hash(entry / name) == expected for name, expected in counts["files"].items()):
            return counts
    except (OSError, ValueError, KeyError):
        pass
    shutil.rmtree(entry, ignore_errors=True)
    return None


@contextmanager
def new_entry(folder: Path, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder to write an entry's files into and a dict for its counts; it gets its name when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=folder))
    counts: dict[str, Any] = {}
    try:
        yield partial, counts
        counts["files"] = {path.name: file_hash(path) for path in sorted(partial.iterdir())}
        write_json(partial / COUNTS, counts)
        try:
            partial.rename(folder / key)
        except OSError:
            if not (folder / key / COUNTS).is_file():  # else another process made the same meanwhile
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def prune(folder: Path, used: set[str]) -> None:
    """Remove what none of the last KEPT_RUNS different runs used, and what killed workers left."""
    runs = [sorted(used), *(keys for keys in _runs(folder) if keys != sorted(used))][:KEPT_RUNS]
    write_json(folder / f".{_RUNS}", runs)
    (folder / f".{_RUNS}").rename(folder / _RUNS)
    kept = {key for keys in runs for key in keys}
    for path in folder.iterdir():
        partial = path.name.endswith(".partial")
        stale = partial and time.time() - path.stat().st_mtime > STALE_SECONDS
        if path.is_dir() and (stale or (not partial and path.name not in kept)):
            shutil.rmtree(path, ignore_errors=True)


def _runs(folder: Path) -> list[list[str]]:
    try:
        content: list[list[str]] = json.loads((folder / _RUNS).read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError):
        return []
