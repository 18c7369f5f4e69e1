"""A cache of token shards, each complete or absent, under a key of everything that they depend on.

.cache/tokens/KEY/{00000.bin, …, documents.parquet, counts.json}; counts.json has the SHA-256 of the others, so that a
changed byte is never returned. Outside DVC's outs, which DVC deletes before a stage starts.
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
"""The number of runs with different corpora or settings whose shards are kept."""
STALE_SECONDS = 86_400
"""The age at which an unfinished entry cannot belong to a running process."""
COUNTS = "counts.json"
_RUNS = "runs.json"


def cache_folder() -> Path:
    """.cache/tokens, or below LIANZI_CACHE; absolute, for workers with other working directories."""
    return Path(os.environ.get("LIANZI_CACHE", ".cache"), "tokens").absolute()


def find(folder: Path, key: str) -> dict[str, Any] | None:
    """The counts of an intact entry, or None; a damaged entry is deleted."""
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
    """A folder for an entry's files and a dict for its counts; the folder is renamed when it is complete."""
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
    """Delete the entries that none of the last KEPT_RUNS different runs used, and the leftovers of killed workers."""
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
