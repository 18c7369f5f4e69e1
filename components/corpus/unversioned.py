"""Content of data/ that cannot be versioned: DVC would ignore it, stop at it, or separate it from its source.

DVC follows no link to a folder, replaces a link to a file by a copy, fails at a circular link and at a socket, and
waits forever for a pipe. The content behind would be read, and a change of it would make nothing stale. Links made by
DVC itself, to files of its cache (`cache.type symlink`), are named by the content that they stand for.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from components.corpus.record import reason_of
from components.errors import DataError

ELSEWHERE = 'docs/bring_your_own_data.md, "Data on another disk"'
_OWN = (".dvc", ".git", ".hg")
"""Folders that DVC skips."""
_CACHED = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")
_LINK = f"DVC gives what stands behind a link no version: put the data itself there, or see {ELSEWHERE}"
_SPECIAL = "take it out of data/: DVC cannot read it"


def refuse_unversioned(data: Path) -> None:
    """Raises DataError naming content of data/ that cannot be versioned, or is read though a .dvcignore excludes it."""
    found = list(_faults(data))
    if found:
        path, what, hint = found[0]
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        more = f" (and {len(found) - 1:,} more such places)" if len(found) > 1 else ""
        raise DataError(f"{shown}: {what}{more}", hint)


def _faults(data: Path) -> Iterator[tuple[Path, str, str]]:
    """Each path with its problem and the remedy."""
    if data.is_symlink():
        yield data, f"a link to {data.readlink()}", _LINK
        return
    folders = [(data, _patterns_above(data))]
    while folders:
        folder, patterns = folders.pop()
        patterns = _with_own(folder, patterns)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield folder, f"cannot be read: {reason_of(error)}", "check its owner and mode"
            continue
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if patterns and _is_ignored(entry.name + "/" * is_folder, patterns):
                if _is_read(Path(entry.path).relative_to(data)):
                    hint = "take it out of data/, or the pattern out of .dvcignore"
                    yield Path(entry.path), "a .dvcignore leaves it out of every version", hint
            elif is_folder:
                if entry.name not in _OWN:
                    below = [(prefix + entry.name + "/", spec) for prefix, spec in patterns]
                    folders.append((Path(entry.path), below))
            elif fault := _fault(entry):
                yield Path(entry.path), *fault


def _fault(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """The problem of a path that is no folder, and the remedy."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "a name that is not UTF-8", "rename it"
    if entry.is_symlink():
        return _fault_of_link(Path(entry.path))
    if not entry.is_file(follow_symlinks=False):
        return _kind(entry.stat(follow_symlinks=False).st_mode), _SPECIAL
    readable = os.access(entry.path, os.R_OK)
    return None if readable else ("cannot be read: Permission denied", "check its owner and mode")


def _fault_of_link(path: Path) -> tuple[str, str] | None:
    target = str(path.readlink())
    if _CACHED.search(target):
        return None if path.is_file() else (f"its copy in DVC's cache is gone: {target}", "`dvc pull data` fetches it")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"a link to {target}: {reason_of(error)}", "take the link out of data/, or put the data there"
    what = "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else _kind(mode)
    return f"a link to {what}, {target}", _LINK


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_read(inside: Path) -> bool:
    """Whether curation reads this path within data/."""
    # Imported here: its readers bring pyarrow, for a question that a project without a .dvcignore in data/ never asks.
    from components.corpus.files import SOURCES

    hidden = any(part.startswith(".") for part in inside.parts)
    return not hidden and (inside.parts[0] in ("corpus", "tasks") or inside == Path(SOURCES))


_Patterns = list[tuple[str, GitIgnoreSpec]]
"""The patterns of the .dvcignore files above a folder, from the project down, each with the path from its folder to
this one.
"""


def _patterns_above(data: Path) -> _Patterns:
    data = data.absolute()
    projects = [folder for folder in data.parents if (folder / ".dvc").is_dir()]
    if not projects:
        return []
    between = [folder for folder in reversed(data.parents) if folder.is_relative_to(projects[0])]
    found: _Patterns = []
    for folder in between:
        found = _with_own(folder, found)
        below = data if folder == between[-1] else between[between.index(folder) + 1]
        found = [(prefix + below.name + "/", spec) for prefix, spec in found]
    return found


def _with_own(folder: Path, patterns: _Patterns) -> _Patterns:
    """The patterns with those of the folder's own .dvcignore."""
    try:
        lines = (folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return patterns
    return [*patterns, ("", GitIgnoreSpec.from_lines(lines))]


def _is_ignored(name: str, patterns: _Patterns) -> bool:
    """The last matching pattern decides."""
    verdicts = (spec.check_file(prefix + name).include for prefix, spec in reversed(patterns))
    return bool(next((verdict for verdict in verdicts if verdict is not None), False))
