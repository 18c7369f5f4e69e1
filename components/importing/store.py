"""Imported documents in data/corpus: NAME.jsonl.zst, with their provenance in NAME.source.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any

from components.artifacts import NAME_BYTES, file_hash, is_plain_name, write_json
from components.corpus.files import ABOUT
from components.corpus.read import split_name
from components.corpus.record import reason_of
from components.errors import DataError, ParameterError

_LEVEL = 9
_ENDING = ".jsonl.zst"


def check_name(corpus: Path, name: str, replace: bool) -> None:
    """Raises ParameterError for a name that is invalid or in use."""
    if len(name.encode(errors="replace")) > NAME_BYTES:
        hint = f"a shorter one: {NAME_BYTES} bytes at most, which is {NAME_BYTES // 3} Chinese characters"
        raise ParameterError(f"--name {name[:20]}…: too long for the name of a source", hint)
    if not is_plain_name(name) or "." in name:
        raise ParameterError(f"--name {name!r}: not a name for a source", "letters, digits, _ and -")
    taken = [path for path in sorted(corpus.glob(f"{name}*")) if _source(path) == name]
    others = [path for path in taken if path.name != f"{name}{_ENDING}"]
    if others:
        raise ParameterError(f"{others[0]}: the name '{name}' is taken", "choose another --name, or remove it")
    if taken and not replace:
        raise ParameterError(f"{taken[0]}: exists already", "--replace imports it again; --name gives another name")


def write_documents(corpus: Path, name: str, documents: Iterable[Mapping[str, Any]]) -> Path:
    """Write the documents atomically; equal documents give equal bytes. Returns the file.

    Raises DataError where there are no documents, or the folder is not writable.
    """
    import zstandard

    path = corpus / f"{name}{_ENDING}"
    with _writable(path), _partial(path) as partial:
        with partial.open("wb") as raw, zstandard.ZstdCompressor(_LEVEL).stream_writer(raw, closefd=False) as packed:
            count = sum(packed.write(_line(document)) > 0 for document in documents)
        if not count:
            raise DataError(f"{name}: no document to import", "the source has no rows, or none with text")
        partial.replace(path)
    return path


def write_about(path: Path, about: Mapping[str, Any]) -> None:
    """Write the provenance of a source beside its documents, with their hash."""
    target = path.with_name(path.name.removesuffix(_ENDING) + ABOUT)
    # Replaced, not written into: what stands there may be a link to DVC's cache.
    with _writable(target), _partial(target) as partial:
        write_json(partial, {**about, "sha256": file_hash(path)})
        partial.replace(target)


def _line(document: Mapping[str, Any]) -> bytes:
    """A JSON line. Lone surrogates have no UTF-8, so a line with one in it is written in ASCII."""
    try:
        return (json.dumps(document, ensure_ascii=False, default=_plain) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(document, default=_plain) + "\n").encode()


def _plain(value: Any) -> str:
    """A value inside a list or mapping that JSON has no form for: dates and times as ISO 8601."""
    if isinstance(value, date | time):
        return value.isoformat()
    raise DataError(f"a value of type {type(value).__name__} stands in a list or mapping", "leave its column out")


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A hidden temporary file, which is deleted at the end in every case."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {reason_of(error)}", "check the folder's owner and the disk"
        ) from None


def _source(path: Path) -> str | None:
    """The source a file or folder of data/corpus stands for; None for notes and what is no data."""
    if path.is_dir():
        return path.name
    try:
        return None if path.name.endswith(ABOUT) else split_name(path)[0]
    except DataError:
        return None
