"""What a stage was given when it began, to be compared with what is there when it ends.

DVC takes the hashes of parameters, code and data after the stage's command: what someone changed in the meantime would
be recorded as what the result was made from.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST, file_hash
from components.errors import InputsChanged, ParameterError, first_line
from components.params import flatten, read_yaml

HASHED_BYTES = 64 * 2**20
"""Larger files are not read for this alone: without a manifest that knows them, a touched one counts as changed."""
_TOLD = 3


@dataclass(frozen=True)
class FileState:
    """A file as it was: `hash` is None where it is not known."""

    size: int
    modified: int
    inode: int
    hash: str | None


class Inputs:
    """The parameters, code and data of one stage, as they are now."""

    def __init__(self) -> None:
        self._params: dict[Path, tuple[tuple[str, ...], dict[str, Any]]] = {}
        self._roots: list[Path] = []
        self._files: dict[Path, FileState] = {}

    def add_params(self, path: Path, content: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Watch some dotted keys of a YAML file, whose `content` is what was read of it."""
        if kept := tuple(keys):
            self._params[path] = (kept, _selected(content, kept))

    def add(self, paths: Iterable[Path]) -> None:
        """Watch these files and folders too."""
        for root in paths:
            self._roots.append(root)
            found = list(_files(root))
            known = _hashes(path for path in found if path.name == MANIFEST)
            for path in found:
                with suppress(OSError):  # what cannot be read, the stage says itself
                    self._files[path] = _state(path, known.get(path))

    def changes(self) -> list[str]:
        """What is not as it was: `params.yaml: KEY: OLD -> NEW`, or a path."""
        return [*self._changed_params(), *self._changed_files()]

    def check(self) -> None:
        """Raises InputsChanged naming what is not as it was."""
        found = self.changes()
        if found:
            more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
            raise InputsChanged(
                f"changed while the stage ran: {'; '.join(found[:_TOLD])}{more}",
                "run again: its result would be recorded as made from what it has not read",
            )

    def _changed_params(self) -> Iterator[str]:
        for path, (keys, before) in self._params.items():
            try:
                now = _selected(read_yaml(path), keys)
            except ParameterError as error:
                yield first_line(error)
                continue
            for key in sorted(before.keys() | now.keys()):
                if before.get(key) != now.get(key):
                    yield f"{path.name}: {key}: {before.get(key)} -> {now.get(key)}"

    def _changed_files(self) -> list[str]:
        there = {path for root in self._roots for path in _files(root)}
        gone = [f"{_told(path)} is gone" for path in self._files if path not in there]
        new = [f"{_told(path)} is new" for path in there if path not in self._files]
        changed = [_told(path) for path in self._files if path in there and self._differs(path)]
        return sorted(gone + new + changed)

    def _differs(self, path: Path) -> bool:
        before = self._files[path]
        try:
            found = path.stat()
            if (found.st_size, found.st_mtime_ns, found.st_ino) == (before.size, before.modified, before.inode):
                return False
            return found.st_size != before.size or before.hash is None or file_hash(path) != before.hash
        except FileNotFoundError:
            return True


def remove(paths: Iterable[Path]) -> None:
    """Remove what a stage has written that is not its result after all."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _selected(content: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The values under some dotted keys, on one level."""
    found: dict[str, Any] = {}
    for key in keys:
        value: Any = content
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        found |= flatten({key: value}) if isinstance(value, Mapping) else {key: value}
    return found


def _files(root: Path) -> Iterator[Path]:
    """The files that DVC hashes."""
    if root.is_file():
        yield root
    ignored = _ignored(Path(".dvcignore"))
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names if not any(fnmatch(name, pattern) for pattern in ignored))


def _ignored(path: Path) -> list[str]:
    """The file names that .dvcignore names; a pattern of whole paths is not known here, and its files are watched."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _state(path: Path, known: str | None) -> FileState:
    found = path.stat()
    # A pipe would never end.
    unread = found.st_size > HASHED_BYTES or not stat.S_ISREG(found.st_mode)
    kept = known if known or unread else file_hash(path)
    return FileState(found.st_size, found.st_mtime_ns, found.st_ino, kept)


def _hashes(manifests: Iterable[Path]) -> dict[Path, str]:
    """The hashes that artifacts' manifests have of their files."""
    found: dict[Path, str] = {}
    for path in manifests:
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # none of ours
            files = json.loads(path.read_text(encoding="utf-8"))["files"]
            found |= {path.parent / name: digest for name, digest in files.items()}
    return found


def _told(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
