"""The vectors of a bundle's answers are read as they were written, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.errors import ArtifactError
from components.runtime.index import index_file, read_index, write_index
from components.tasks.retrieval import Retrieval

TASK = Retrieval(("vector",), ("At nine.", "By card."))
VECTORS = np.array([[1, 0, 0], [0, 0.6, 0.8]], dtype=np.float32)


def read(folder: Path, *files: str) -> np.ndarray:
    return read_index(folder, {"files": dict.fromkeys(files, "0")}, "fp32", TASK)


def test_an_index_is_what_was_written(tmp_path: Path) -> None:
    write_index(tmp_path, "fp32", VECTORS)
    assert np.array_equal(read(tmp_path, index_file("fp32")), VECTORS)
    with pytest.raises(ArtifactError, match="not listed"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (VECTORS[:1], r"shape \(1, 3\), and the manifest has 2 passages"),
        (2 * VECTORS, "not every vector has length 1"),
        (np.full_like(VECTORS, np.nan), "not every vector has length 1"),
    ],
)
def test_vectors_that_are_no_index_are_refused(tmp_path: Path, vectors: np.ndarray, told: str) -> None:
    write_index(tmp_path, "fp32", vectors)
    with pytest.raises(ArtifactError, match=told):
        read(tmp_path, index_file("fp32"))


def test_nothing_pickled_is_read(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    np.save(tmp_path / index_file("fp32"), np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="no array of numbers"):
        read(tmp_path, index_file("fp32"))
