"""Data files of a few bytes, and what is said of them when they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.read import read_records
from components.errors import DataError


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    """The message that reading ends with."""
    with pytest.raises(DataError) as caught:
        list(read_records(path))
    return str(caught.value)
