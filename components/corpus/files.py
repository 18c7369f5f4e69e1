"""The files of data/corpus, their sources, and their licences.

A file is a source with its own name, without extensions; a folder is one source with all its files.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.corpus.config import SourceConfig
from components.corpus.read import READERS, split_name
from components.corpus.record import Record
from components.errors import DataError

UNKNOWN = "unknown"
SOURCES = "SOURCES.md"
"""The file of data/ with the origins of the data, their licences, and the notices that copies must carry."""
ABOUT = ".source.json"
"""Extension of the provenance notes that `lianzi import` writes beside a source; they are no data."""


_ROOM = 128
"""Bytes of a source's name within file names: 255 are allowed, and numbers and digests follow."""


def short_name(source: str) -> str:
    """A source's name for file names: unchanged, or cut and followed by a digest where it is too long."""
    if len(source.encode()) <= _ROOM:
        return source
    begin = source.encode()[: _ROOM - 9].decode(errors="ignore")
    return f"{begin}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class CorpusFile:
    """A data file, its source, and the prefix of its documents' ids."""

    path: Path
    source: str
    prefix: str

    def document_id(self, record: Record) -> str:
        """Unique in the corpus where the ids within a file are unique."""
        return f"{self.prefix}/{record.name}"


def corpus_files(folder: Path) -> list[CorpusFile]:
    """The data files under a folder, sorted by path, without hidden files and notes of imports.

    Raises DataError for an unknown format, and where two files, or a file and a folder, have the same name.
    """
    found = [_corpus_file(path, folder) for path in sorted(_visible(folder))]
    if not found:
        raise DataError(f"{folder}: no corpus here", "run `dvc pull data`, or put text files there")
    _refuse_clashes(found, folder)
    return found


def strange_sources(named: Collection[str], there: Collection[str]) -> list[str]:
    """A warning for each source of params.yaml that has no file or folder in data/corpus, and so has no effect."""
    lines = []
    for name in sorted({*named} - {*there}):
        close = difflib.get_close_matches(name, sorted({*there} - {*named}), n=1, cutoff=0.6)
        hint = f"did you mean '{close[0]}'?" if close else "the entry changes nothing"
        lines.append(f"params.yaml: corpus.{name}: data/corpus has no source of that name; {hint}")
    return lines


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and not path.is_dir() and not path.name.endswith(ABOUT):
            yield path


def _corpus_file(path: Path, folder: Path) -> CorpusFile:
    stem, extension, _ = split_name(path)
    inside = path.relative_to(folder)
    if len(inside.parts) == 1:
        return CorpusFile(path, stem, stem)
    # A page's id has its name in it already.
    prefix = inside.parent / stem if extension in READERS else inside.parent
    return CorpusFile(path, inside.parts[0], prefix.as_posix())


def _refuse_clashes(files: list[CorpusFile], folder: Path) -> None:
    """Rows of one name in two formats are taken for two copies of the same, and so are two packings of a page."""
    claims: dict[str, Path] = {}
    for file in files:
        stem, extension, _ = split_name(file.path)
        top = folder / file.path.relative_to(folder).parts[0]
        _claim(claims, file.source, top)
        if file.path != top:
            _claim(claims, file.prefix if extension in READERS else f"{file.prefix}/{stem}{extension}", file.path)


def _claim(claims: dict[str, Path], name: str, path: Path) -> None:
    other = claims.setdefault(name, path)
    if other != path:
        raise DataError(f"{other} and {path}: same name, different format", "rename one of them")


def source_licences(found: Iterable[str], sources: Mapping[str, SourceConfig]) -> dict[str, str]:
    """The licence of each source that has documents, from params.yaml."""
    return {name: sources[name].licence if name in sources else UNKNOWN for name in sorted(found)}


def notices(data: Path) -> list[str]:
    """The text of data/SOURCES.md; empty where the file does not exist."""
    path = data / SOURCES
    return [path.read_text(encoding="utf-8")] if path.is_file() else []
