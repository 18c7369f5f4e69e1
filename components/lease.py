"""One process at a time: a lock on a file that names its holder. The system frees it when the holder dies."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from components.errors import ServiceError

LOOK_SECONDS = 0.3
TURN = Path(".lianzi/run.json")
_MINE: set[Path] = set()


@contextmanager
def lease(path: Path, what: str, seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; `what` names the work, for messages.

    Where another process holds it, say so in a line and wait for it. Raises ServiceError, naming that process, when it
    still holds it after so many `seconds`; a negative number waits without end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{_holder(path, what)}; waiting for it")
        try:
            lock.acquire(timeout=seconds, poll_interval=LOOK_SECONDS)
        except Timeout:
            raise ServiceError(_holder(path, what), "wait for it to end, or end it; then run again") from None
    try:
        # The lock is on the file, not on what it says.
        path.write_text(json.dumps({"pid": os.getpid(), "since": time.time(), "what": what}), encoding="utf-8")
        yield
    finally:
        lock.release()


@contextmanager
def turn(root: Path, what: str) -> Iterator[None]:
    """Wait, and say so in a line, until no other process runs this project's pipeline. A nested call does not wait."""
    place = root.resolve()
    if place in _MINE:
        yield
        return
    with lease(place / TURN, what, -1, lambda line: print(f"{line} (Ctrl-C: do not wait)", flush=True)):
        _MINE.add(place)
        try:
            yield
        finally:
            _MINE.discard(place)


def at_work(root: Path) -> str:
    """What another process is doing that has this project's turn now, in its own words; "" where nobody has it, or has
    not signed yet."""
    path = root.resolve() / TURN
    signed = _signature(path)
    # Who crashed is named until the next holder has signed. And whoever wants the turn is not to find the lock held by
    # this look at it.
    if not signed or not _is_alive(signed[0]):
        return ""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return signed[1]
    lock.release()
    return ""


def signed_at(root: Path) -> str:
    """How the turn of this project is signed now; "" where nobody has signed. No two holders sign alike."""
    try:
        content = json.loads((root / TURN).read_text(encoding="utf-8"))
        return f"{content['pid']} {content['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _signature(path: Path) -> tuple[int, str] | None:
    """The process that last signed a lease, and what for."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return int(content["pid"]), str(content["what"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def _holder(path: Path, what: str) -> str:
    """Who holds a lock, in words; less of it where its holder has not signed yet."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%H:%M:%S", time.localtime(content["since"]))
        return f"another process ({content['what']}, pid {content['pid']}, since {since}) is at work here"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process ({what}) is at work here"
