"""Folders that appear whole or not at all, and that take the place of nothing but an earlier one of the same kind.

While a folder is written it lies in `.NAME.partial/new` beside its place, and a note in `.NAME.partial` says whose it
is. The note is locked as long as its writer lives: what a killed run left is known for certain, and so is a run that
still goes on. The folder that stood there before waits in `.NAME.partial/former` until the new one is in place, and
goes back if it never gets there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.artifacts import Former
from components.errors import ArtifactError

NOTE = "WRITTEN_BY_LIANZI"
_TEXT = b"A folder that is being written. Once its writer has ended, the next one removes it.\n"
_FULL = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "file size limit reached",
}

_threads: dict[Path, threading.Lock] = defaultdict(threading.Lock)
"""A file's lock belongs to a process: its threads have to keep each other out."""


@contextmanager
def staged(target: Path, former: Former, wait: bool = False) -> Iterator[Path]:
    """A folder to write into, put in `target`'s place when the block ends well and removed when it does not.

    `former` says which folder may be replaced. `wait`: for another run that writes the same, instead of refusing.
    Raises ArtifactError, before the block is entered, where `target` may not or cannot be written; and where the disk
    is full, in which case all is as before.
    """
    check_place(target, former)
    path = _absolute(target)
    with _claimed(target, path, wait) as work:
        try:
            (work / "new").mkdir()
            yield work / "new"
        except Exception as error:
            if reason := _no_room(error):
                raise ArtifactError(f"{target}: cannot be written: {reason}", "nothing was changed there") from None
            raise
        check_place(target, former)
        if path.exists():
            path.rename(work / "former")
        (work / "new").rename(path)


def check_place(target: Path, former: Former) -> None:
    """Raises ArtifactError where no folder may be put, because of what is there."""
    path = _absolute(target)
    try:
        if path.is_symlink():
            raise ArtifactError(f"{target}: a link to {path.readlink()}", "name the folder itself, or another")
        if _in_use(path):
            raise ArtifactError(f"{target}: the folder of something else", "name a new folder inside it")
        if path.exists():
            _check_former(target, path, former)
    except OSError as error:
        raise ArtifactError(f"{target}: cannot be looked at: {error.strerror}", "name another folder") from None


def _absolute(target: Path) -> Path:
    """Without links on the way to it, while it may be one itself."""
    path = target.absolute()
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def _in_use(path: Path) -> bool:
    """The root, a file system's, a home, or the folder that this process works in, or one above them."""
    held = [Path.cwd()]
    with suppress(RuntimeError):
        held.append(Path.home())
    return os.path.ismount(path) or any(one.resolve().is_relative_to(path.resolve()) for one in held)


def _check_former(target: Path, path: Path, former: Former) -> None:
    if not path.is_dir():
        raise ArtifactError(f"{target}: there is a file of that name", "name a new folder")
    if any(path.iterdir()) and (reason := former(path)):
        raise ArtifactError(
            f"{target}: there is something else here ({reason})", "name a new folder, or move that away"
        )


@contextmanager
def _claimed(target: Path, path: Path, wait: bool) -> Iterator[Path]:
    """The folder for the work, empty but for its note; nothing of it stays. Raises ArtifactError."""
    work = path.with_name(f".{path.name}.partial")
    missing = [parent for parent in path.parents if not parent.exists()]
    if not _threads[path].acquire(blocking=wait):
        raise _busy(target)
    note = None
    try:
        note = _locked_note(target, work, wait)
        _clear(work, path)
        yield work
    finally:
        if note is not None:
            _clear(work, path)
            with suppress(OSError):
                (work / NOTE).unlink()
                work.rmdir()
            os.close(note)
        for parent in missing:
            with suppress(OSError):  # it holds something now
                parent.rmdir()
        _threads[path].release()


def _locked_note(target: Path, work: Path, wait: bool) -> int:
    """Make the folder, or take a dead run's over. Raises ArtifactError."""
    try:
        while True:
            work.parent.mkdir(parents=True, exist_ok=True)
            try:
                note = _open_note(work)
            except FileNotFoundError:
                continue  # whoever had the folder has just removed it
            try:
                if _locked(note, wait):
                    if _still_there(note, work / NOTE):
                        os.pwrite(note, _TEXT, 0)
                        return note
                elif not wait:
                    raise _busy(target)
            except BaseException:
                os.close(note)
                raise
            os.close(note)
    except OSError as error:
        reason = _no_room(error) or error.strerror
        raise ArtifactError(f"{target}: cannot be written: {reason}", "name another folder") from None


def _open_note(work: Path) -> int:
    """Raises ArtifactError where something else stands there, FileNotFoundError where the folder goes meanwhile."""
    if work.is_symlink() or (work.exists() and not _is_ours(work)):
        raise ArtifactError(f"{work}: in the way, and not of a run's making", "move it away")
    work.mkdir(exist_ok=True)
    return os.open(work / NOTE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def _busy(target: Path) -> ArtifactError:
    return ArtifactError(f"{target}: another run is writing it", "wait until it has ended")


def _is_ours(work: Path) -> bool:
    """By its note; with nothing but an empty one, or none, it is that of a writer killed at once.

    Raises FileNotFoundError where its owner removes it meanwhile.
    """
    if not work.is_dir():
        return False
    note, names = work / NOTE, {path.name for path in work.iterdir()}
    if not names:
        return True
    if NOTE not in names or not stat.S_ISREG(note.lstat().st_mode):
        return False
    return note.read_bytes() == _TEXT or (names == {NOTE} and not note.stat().st_size)


def _locked(note: int, wait: bool) -> bool:
    """Whether the note's lock is ours now. It ends with this process, and children do not inherit it."""
    try:
        fcntl.lockf(note, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def _still_there(note: int, path: Path) -> bool:
    """Whether what was locked is still the note: its former owner may have removed it meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(note), path.stat())
    return False


def _clear(work: Path, path: Path) -> None:
    """Remove what was written and what was replaced; what was to be replaced and was not goes back first."""
    former = work / "former"
    if former.exists() and not path.exists():
        former.rename(path)
    for one in (former, work / "new"):
        shutil.rmtree(one, ignore_errors=True)


def _no_room(error: Exception) -> str | None:
    """Libraries put what the system says of a full disk into errors of their own."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return _FULL[error.errno]
    return _FULL[errno.ENOSPC] if os.strerror(errno.ENOSPC) in str(error) else None
