"""The index of a bundle that finds answers: of each rung the vectors of all of them, `index/RUNG.npy`.

A rung's index is made by that rung: vectors of another one lie elsewhere. Every vector is compared with every question
(exact search), which costs a product of matrices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import RESTORE, listed_file
from components.errors import ArtifactError
from components.tasks.task import Task

FOLDER = "index"
UNIT = 1e-3
"""By which the length of a vector may differ from 1."""


def index_file(rung: str) -> str:
    """Where a bundle keeps the index of a rung."""
    return f"{FOLDER}/{rung}.npy"


def write_index(folder: Path, rung: str, vectors: np.ndarray) -> None:
    """Write float32 (passages, width)."""
    path = folder / index_file(rung)
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.ascontiguousarray(vectors, dtype=np.float32), allow_pickle=False)


def read_index(folder: Path, manifest: dict[str, Any], rung: str, task: Task) -> np.ndarray:
    """Float32 (passages, width), each of length 1. Raises ArtifactError where it is not that."""
    path = listed_file(folder, manifest["files"], index_file(rung))
    try:
        found: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise ArtifactError(f"{path}: no array of numbers", RESTORE) from None
    if found.dtype != np.float32 or found.ndim != 2 or len(found) != len(task.passages):
        told = f"{found.dtype} of shape {found.shape}"
        raise ArtifactError(f"{path}: {told}, and the manifest has {len(task.passages)} passages", RESTORE)
    if not (np.abs(np.linalg.norm(found, axis=1) - 1) < UNIT).all():
        raise ArtifactError(f"{path}: not every vector has length 1", RESTORE)
    return found
