"""The graph as DVC reads it, with DVC's verdict on which stages are fresh."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.declared import LIBRARIES
from components.errors import ParameterError, ServiceError
from components.libraries import installed
from components.orphans import DRIVER_VARIABLE
from flows.parsed_once import parsed_once
from flows.quoted import without_data

DATA = "data"
LOCKED = "Unable to acquire lock"
BUSY = "is busy, it is being blocked by"
"""DVC's messages when another of its processes holds the repository, or the files of a running stage."""
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
_LOOKS = 5


@dataclass(frozen=True)
class Stage:
    """A node of the graph: a stage of dvc.yaml or a tracked file such as data.dvc."""

    name: str
    needs: tuple[str, ...]
    changes: tuple[str, ...]
    """The reason why DVC calls the stage stale; empty when fresh."""
    running: int | None = None
    """The process that is running the stage now."""
    writes: tuple[str, ...] = ()
    """Its outputs, without metrics and plots: paths within the project."""
    reads: tuple[str, ...] = ()
    """Those of the stages it needs that it reads a part of, or all."""
    trains: bool = False
    """Whether it reads the section `trainer` of params.yaml."""

    @property
    def fresh(self) -> bool:
        return not self.changes


def read_graph(root: Path) -> list[Stage]:
    """Every stage, each after those it needs, even while other DVC processes run.

    Raises ServiceError when DVC cannot read the project, DataError for data that it cannot version: DVC would report no
    change for a linked folder, and would wait forever for a pipe.
    """
    import networkx
    from dvc.exceptions import DvcException

    from components.corpus.unversioned import refuse_unversioned

    if os.path.lexists(root / DATA):
        refuse_unversioned(root / DATA)
    try:
        with _looked_at(root) as repo:
            graph, changed = _seen(lambda: _verdict(repo))
            version = cache(installed)
            running = running_outputs(root)
            names = {stage: str(stage.addressing) for stage in graph.nodes}
            # Edges run from a stage to what it needs; ties are broken by name, so that the order repeats.
            order = networkx.lexicographical_topological_sort(graph.reverse(copy=True), key=names.__getitem__)
            return [
                Stage(
                    names[stage],
                    tuple(sorted(names[need] for need in graph.successors(stage))),
                    _why(stage, changed.get(names[stage], []), version),
                    next((running[out.fs_path] for out in stage.outs if out.fs_path in running), None),
                    tuple(out.def_path for out in _data_outs(stage)),
                    _read_of(stage, graph.successors(stage)),
                    _trains(stage),
                )
                for stage in order
            ]
    except DvcException as error:
        raise _explained(error) from None


def data_version(root: Path, stages: Iterable[Stage]) -> str:
    """The problem with the version of data/: none exists, or data.dvc has another; "" where there is no problem."""
    if not (root / DATA).is_dir():
        return ""
    known = {stage.name: stage for stage in stages}.get(f"{DATA}.dvc")
    if known is None:
        return f"{DATA}/ has no version, so no result can be traced to it: `dvc add {DATA}`, and commit {DATA}.dvc"
    if known.fresh:
        return ""
    return (
        f"{DATA}/ is not what {DATA}.dvc names: `dvc add {DATA}` gives it a version, and so does a run; "
        f"commit {DATA}.dvc then"
    )


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


def _data_outs(stage: Any) -> list[Any]:
    return [out for out in stage.outs if not (out.metric or out.plot)]


def _read_of(stage: Any, needed: Iterable[Any]) -> tuple[str, ...]:
    """The outputs of these stages that a dependency of `stage` is, lies in or contains: what makes an edge for DVC."""
    deps = [f"{dep.fs_path}{os.sep}" for dep in stage.deps]
    found = {out.def_path: f"{out.fs_path}{os.sep}" for need in needed for out in _data_outs(need)}
    return tuple(
        sorted(name for name, out in found.items() if any(dep.startswith(out) or out.startswith(dep) for dep in deps))
    )


def _trains(stage: Any) -> bool:
    sections = (name.partition(".")[0] for dep in stage.deps if dep.def_path == "params.yaml" for name in dep.params)
    return "trainer" in sections


@contextmanager
def _looked_at(root: Path) -> Iterator[Any]:
    """DVC's repository for reading: without its locks, which a stage holds for as long as it runs."""
    from dvc.lock import LockNoop
    from dvc.repo import Repo

    with Repo(str(root)) as repo, TemporaryDirectory() as apart:
        repo.lock = LockNoop()
        repo.tmp_dir = apart  # of the locks on a stage's files
        yield repo


def _verdict(repo: Any) -> tuple[Any, dict[str, Any]]:
    """The graph, and what has changed of each stage. In one turn of the lock: DVC reads every file anew for another."""
    from dvc.repo import lock_repo

    with lock_repo(repo), parsed_once(), _uncollected():
        return repo.index.graph, repo.status()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: what DVC reads is needed until the end, so it would look for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _seen(look: Callable[[], Any]) -> Any:
    """The result of a read; it is repeated where files disappeared meanwhile, as they do when a stage begins."""
    for _ in range(_LOOKS):
        with contextlib.suppress(FileNotFoundError):
            return look()
    return look()


def running_outputs(root: Path) -> dict[str, int]:
    """Output -> the DVC process that is writing it, by DVC's own record."""
    import psutil

    try:
        content = json.loads((root / ".dvc" / "tmp" / "rwlock").read_text(encoding="utf-8"))
        writers = {path: int(info["pid"]) for path, info in content.get("write", {}).items()}
    except (OSError, ValueError, KeyError):
        return {}
    return {path: pid for path, pid in writers.items() if psutil.pid_exists(pid)}


def _why(stage: Any, changes: list[Any], version: Callable[[str], str | None]) -> tuple[str, ...]:
    """The reason why a stage is stale, changed library versions first: DVC does not see them before they are
    recorded.
    """
    locked = [(dep, dep.hash_info.value or {}) for dep in stage.deps if dep.def_path == LIBRARIES]
    versions = [(name, known.get(name), version(name)) for dep, known in locked for name in dep.params]
    other = [f"{name} {before} -> {now}" for name, before, now in versions if before and now and before != now]
    rest = [reason for reason in _reasons(changes) if not (other and reason.startswith(f"deps {LIBRARIES} "))]
    return (*other, *rest)


def order_lock(root: Path) -> None:
    """Sort the stages of dvc.lock in the order in which a first `dvc repro` writes them.

    Parallel stages are written in the order in which they end; sorted, both drivers give the same bytes.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import plan_repro
    from dvc.utils.serialize import modify_yaml

    if not (root / "dvc.lock").is_file():
        return
    with Repo(str(root), _wait_for_lock=True) as repo:
        order = [str(stage.addressing) for stage in plan_repro(repo.index.graph)]

        def rewrite() -> None:
            with repo.lock, modify_yaml(str(root / "dvc.lock")) as content:
                stages = content["stages"]
                known = [name for name in order if name in stages]
                for name in known:
                    stages[name] = stages.pop(name)

        while_locked(rewrite, seconds=60)


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


_RUNNING: set[subprocess.Popen[str]] = set()


def stop_running() -> None:
    """End every running stage with all its processes. DVC alone would leave its stage running."""
    for process in list(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


_CHATTER = re.compile(
    r"(Running stage|> |Updating lock file|Generating lock file|Use `dvc push`|To track the changes|\s*git add|"
    r"Stage '.*' didn't change|Stage '.*' is cached|Data and pipelines are up to date|To enable auto staging|"
    r"\s*dvc config core.autostage|'.*' didn't change, skipping|ERROR: failed to reproduce)"
)


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


def _reasons(changes: list[Any]) -> tuple[str, ...]:
    """DVC's description of a stage's changes, as short phrases."""
    reasons: list[str] = []
    for change in changes:
        if isinstance(change, str):
            reasons.append(change)
            continue
        for kind, paths in change.items():
            reasons += [f"{kind.removeprefix('changed ')} {path} {_state(state)}" for path, state in paths.items()]
    return tuple(reasons)


def _state(state: Any) -> str:
    if isinstance(state, dict):
        return ", ".join(f"{key} {value}" for key, value in state.items())
    return str(state)


def while_locked(call: Callable[[], Any], seconds: float) -> Any:
    """The result of a call that takes DVC's lock; it is repeated for so many seconds while another process has it."""
    from dvc.lock import LockError

    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except LockError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _explained(error: Exception) -> ParameterError | ServiceError:
    message = " ".join(str(error).split())
    if LOCKED in message or BUSY in message:
        return ServiceError(
            "another DVC process works on this project", "wait for it, or remove .dvc/tmp/lock if none runs"
        )
    if "not inside of a DVC repository" in message:
        return ServiceError(
            "no .dvc folder here or above, so this is no DVC project",
            "in a new folder: `git init && dvc init`; `lianzi init` makes a project with both",
        )
    if "is not a git repository" in message or "not a git repo" in message.lower():
        return ServiceError("the project is in no git repository", "run `git init` in its folder")
    return ServiceError(f"DVC cannot read the graph: {message[:300]}", "`dvc stage list` says more")
