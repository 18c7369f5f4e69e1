"""The safetensors files of a checkpoint, by their headers: what they hold, and whether they hold it whole.

A file is eight bytes that tell how long its header is, the header (JSON: name -> dtype, shape, place), then the
numbers. So a copy that was cut short is known without reading a number.
https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import ArtifactError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
POOLER = "pooler"
"""Stands inside the backbone but belongs to a classification head: language models have none."""

_LONGEST_HEADER = 100_000_000
"""Bytes: what the library itself reads at most."""
_POINTER = b"version https://git-lfs"
_AGAIN = "copy or download it again"


@dataclass(frozen=True)
class Stored:
    """A tensor of a checkpoint before it is read."""

    file: Path
    dtype: str
    shape: tuple[int, ...]


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor of a checkpoint's folder by its name.

    Raises ArtifactError where a file is missing, cut short or damaged, or lacks a tensor that the index says it has.
    """
    if (folder / WHOLE).is_file():
        return _of_file(folder / WHOLE)
    index = _index(folder / INDEX)
    found: dict[str, Stored] = {}
    for name in sorted({*index.values()}):
        if not (folder / name).is_file():
            raise ArtifactError(f"{folder / name}: missing, though {INDEX} names it", _AGAIN)
        found |= _of_file(folder / name)
    absent = sorted(index.keys() - found.keys())
    if absent:
        raise ArtifactError(
            f"{folder / index[absent[0]]}: {absent[0]} is not in it, though {INDEX} says so",
            f"{_AGAIN}, and the index with it",
        )
    return found


def _index(path: Path) -> dict[str, str]:
    """Name of a tensor -> file, plain names alone."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = content["weight_map"]
        whole = all(isinstance(name, str) and Path(name).name == name for name in names.values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ArtifactError(f"{path}: not an index of safetensors files", _AGAIN)
    return dict(names)


def _of_file(path: Path) -> dict[str, Stored]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(len(_POINTER))
        if first == _POINTER:
            raise ArtifactError(f"{path}: the note of Git LFS instead of the file itself", "run `git lfs pull` there")
        length = int.from_bytes(first[:8], "little")
        if len(first) < 8 or length > min(size, _LONGEST_HEADER):
            raise ArtifactError(f"{path}: not a safetensors file, or cut short: {size:,} bytes", _AGAIN)
        stream.seek(8)
        header = _header(path, stream.read(length))
    end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size < end:
        raise ArtifactError(f"{path}: cut short: {size:,} bytes of {end:,}", _AGAIN)
    if size > end:
        raise ArtifactError(f"{path}: damaged: {size:,} bytes, {size - end:,} more than its header says", _AGAIN)
    return {name: Stored(path, entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(text)
        header.pop("__metadata__", None)
        whole = all(
            len(entry["data_offsets"]) == 2
            and all(type(number) is int and number >= 0 for number in (*entry["data_offsets"], *entry["shape"]))
            and isinstance(entry["dtype"], str)
            for entry in header.values()
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ArtifactError(f"{path}: damaged: its header is not that of a safetensors file", _AGAIN)
    return header
