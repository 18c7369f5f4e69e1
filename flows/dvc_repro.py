"""One stage brought up to date by a `dvc repro` of its own: what it printed, how it ended, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from components.orphans import DRIVER_VARIABLE
from flows.graph import BUSY, LOCKED
from flows.quoted import without_data

TIMED_OUT, KILLED, LOCKED_OUT, UNREACHABLE = "timed out", "killed", "locked out", "unreachable"
TRANSIENT = (KILLED, LOCKED_OUT, UNREACHABLE)
"""Failures that may pass by themselves: the kernel ended the process (memory), another DVC had the lock, no network."""
_SIGKILL = re.compile(r"exited with (-9|137)\b")
_NETWORK = re.compile(
    r"does not answer|Connection (refused|reset|aborted)|Max retries exceeded|[Tt]imed? ?out|Name or service not known|"
    r"Temporary failure in name resolution|Network is unreachable|No route to host|Service Unavailable|Bad Gateway"
)
_LAST = 5
"""Lines that tell why a stage failed, where none is an `error:`: the end of a traceback, then DVC's own."""
GRACE_SECONDS = 20
LOCKED_TRIES = 40
MOST_SECONDS = 15.0
"""Seconds between two checks whether a stage of another process has ended."""
_CHATTER = re.compile(
    r"(Running stage|> |Updating lock file|Generating lock file|Use `dvc push`|To track the changes|\s*git add|"
    r"Stage '.*' didn't change|Stage '.*' is cached|Data and pipelines are up to date|To enable auto staging|"
    r"\s*dvc config core.autostage|'.*' didn't change, skipping|ERROR: failed to reproduce)"
)
"""What DVC says of its own work, which nobody waits for."""
_RUNNING: set[subprocess.Popen[str]] = set()
"""Of this process."""


def reproduce(
    stage: str,
    root: Path,
    heard: Callable[[str], None],
    seconds: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Bring one stage up to date through DVC; `heard` gets each line of its output, and ends the stage by raising.
    `variables`: of the environment, beside this process's own.

    Returns the exit code and the outcome: "ran", "cached" (nothing to do) or "restored" (outputs fetched from DVC's
    cache of earlier runs); of a failure "failed", or TIMED_OUT, or one of TRANSIENT. It waits for another DVC
    process that runs the stage, or holds its files. After so many `seconds` all processes of the stage are ended.
    """
    for attempt in count():
        words = ["--wait-for-lock", "repro", "--single-item", stage]
        code, lines, timed_out = _run_dvc(words, root, heard, seconds, variables or {})
        blocked = next((place for place, line in enumerate(lines) if BUSY in line), None)
        locked = any(LOCKED in line for line in lines) and attempt < LOCKED_TRIES
        if code == 0 or timed_out or (blocked is None and not locked):
            break
        if blocked is not None and attempt == 0:
            heard(f"waiting for another DVC process: {' '.join(lines[blocked + 1 : blocked + 2]).strip()}")
        time.sleep(min(0.25 * 2 ** min(attempt, 6), MOST_SECONDS))
    return code, _outcome(lines) if code == 0 else TIMED_OUT if timed_out else _failure(lines)


def _run_dvc(
    words: list[str], root: Path, heard: Callable[[str], None], seconds: float | None, variables: Mapping[str, str]
) -> tuple[int, list[str], bool]:
    """The exit code, the lines that DVC and its stage printed, and whether they were ended after `seconds`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", *words],
        cwd=root,
        env=os.environ | {DRIVER_VARIABLE: str(os.getpid()), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        bufsize=1,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    refused = False
    _RUNNING.add(process)
    try:
        with _ended_after(process, seconds) as timed_out:
            for line in process.stdout:
                lines.append(line.rstrip())
                # A refusal is the last that DVC says, in several lines; it is tried again.
                refused = refused or LOCKED in line or BUSY in line
                if line.strip() and not refused and not _CHATTER.match(line):
                    heard(line.rstrip())
            return process.wait(), lines, timed_out.is_set()
    except BaseException:
        _end(process)
        process.wait()
        raise
    finally:
        _RUNNING.discard(process)


@contextmanager
def _ended_after(process: subprocess.Popen[str], seconds: float | None) -> Iterator[threading.Event]:
    """Ends the process with all that it started after `seconds`; the event says whether that was necessary."""
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        _end_tree(process.pid)

    timer = threading.Timer(seconds or 0, end)
    if seconds is not None:
        timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()


def stop_running() -> None:
    """End every running stage with all its processes. DVC alone would leave its stage running."""
    for process in list(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _end_tree(pid: int) -> None:
    """End a process with all below it, whatever sessions they began: politely, then after GRACE_SECONDS by SIGKILL.

    A stage saves its checkpoint when it is asked to end.
    """
    import psutil

    try:
        top = psutil.Process(pid)
        below = top.children(recursive=True)
        for process in (*below, top):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(below, timeout=GRACE_SECONDS)
        # Not waited for here: its exit code belongs to whoever started it.
        for process in (*left, top):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    except psutil.NoSuchProcess:
        return


def _outcome(lines: list[str]) -> str:
    text = "\n".join(lines)
    if "is cached - skipping run" in text:
        return "restored"
    if "didn't change, skipping" in text or ("up to date" in text and "Running stage" not in text):
        return "cached"
    return "ran"


def _failure(lines: list[str]) -> str:
    """The kind of a failure. What may pass by itself has a name; all else is "failed", a user error above all."""
    text = "\n".join(lines)
    errors = [place for place, line in enumerate(lines) if line.startswith("error:")]
    # With its hint. What was printed before it, or is quoted in it, may speak of a network too.
    reason = lines[errors[-1] :] if errors else lines[-_LAST:]
    unreachable = any(_NETWORK.search(without_data(line)) for line in reason)
    if errors and not unreachable:
        return "failed"
    if _SIGKILL.search(text):
        return KILLED
    if LOCKED in text or BUSY in text:
        return LOCKED_OUT
    return UNREACHABLE if unreachable else "failed"
