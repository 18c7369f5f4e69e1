"""`lianzi live`: which version of each task is, or was, in use, by the log of releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from cli.predict import check_task
from components import tracking
from components.champions import CHAMPION
from components.errors import ParameterError
from components.params import load_params
from components.registry import Registry
from components.release_log import Entry, champion_at
from components.serving.servers import live_servers
from flows.settings import project_root

UNLIKE = "an entry is missing, something else moved the alias, or a command ended before it did"
TIME = "write it as 2026-11-29, 2026-11-29T14:30 or 2026-11-29T14:30+08:00"


@click.command("live")
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--at", metavar="TIME", help="Then, not now: ISO 8601, of this machine's time zone where it names none.")
@click.option("--log", is_flag=True, help="Every change of champion and challenger.")
def command(tasks: tuple[str, ...], at: str | None, log: bool) -> None:
    """Say which version of each TASK answers, since when, and by which release and commit."""
    if log and at is not None:
        raise ParameterError("--log and --at: only one of the two")
    for line in live(project_root(), tasks, at, log):
        click.echo(line)


def live(root: Path, tasks: Sequence[str] = (), at: str | None = None, log: bool = False) -> Iterator[str]:
    """A line a task, or a line a change; then what is wrong with the log. Raises ParameterError, ServiceError."""
    params = load_params(root / "params.yaml")
    for task in tasks:
        check_task(params, task)
    when = None if at is None else moment(at)
    registry = Registry() if tracking.store_exists() else None
    for task in tasks or params.tasks:
        if registry is None:
            yield f"{task}: nothing was released from here"
            continue
        entries = registry.log(task)
        if log:
            yield from (f"{task}: {_change(entry)}" for entry in entries)
        else:
            yield f"{task}: {_now(registry, task, entries) if when is None else _then(entries, when)}"
            if when is None:
                yield from _canaries(root, task)
        if fault := registry.broken_log(task):
            yield f"{task}: the log was changed: {fault}"


def moment(text: str) -> datetime:
    """A time with its zone. Raises ParameterError."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise ParameterError(f"--at: {text!r:.100} is no time", TIME) from None


def _now(registry: Registry, task: str, entries: Sequence[Entry]) -> str:
    champion = registry.champion(task)
    logged = champion_at(entries, datetime.now().astimezone())
    if champion is None:
        return "no champion" + (f"; the log says v{logged.version}" if logged else "")
    if logged is None or logged.version != champion.version:
        told = f"the log says v{logged.version}; {UNLIKE}" if logged else "it was made champion before there was a log"
        return f"v{champion.version}; {told}"
    challenger = registry.challenger(task)
    return _champion(logged) + (f"; challenger: v{challenger.version}" if challenger else "")


def _canaries(root: Path, task: str) -> Iterator[str]:
    """The servers here at which a challenger answers a share of the texts."""
    for server in live_servers(root):
        if (canary := server.canaries.get(task)) is not None:
            yield f"{task}: canary v{canary['version']} answers {server.share:.1%} of texts at {server.url}"


def _then(entries: Sequence[Entry], when: datetime) -> str:
    entry = champion_at(entries, when)
    return f"at {when:%Y-%m-%d %H:%M:%S%z}: {_unlogged(entries) if entry is None else _champion(entry)}"


def _unlogged(entries: Sequence[Entry]) -> str:
    """What is known of the champion before the log's first one."""
    first = next((one for one in entries if one.alias == CHAMPION), None)
    if first is None:
        return "not known, the log has no champion"
    known = "none, or one that is not known" if first.before is None else f"v{first.before}, or one before it"
    return f"{known}: the log's first champion is of {_local(first)}"


def _champion(entry: Entry) -> str:
    return f"v{entry.version} since {_local(entry)}, by {_origin(entry)}"


def _change(entry: Entry) -> str:
    before = f" (before: v{entry.before})" if entry.before is not None else ""
    moved = f"{entry.alias} v{entry.version}" if entry.version is not None else f"no {entry.alias} any more"
    return f"{entry.number:>4}  {_local(entry)}  {moved}{before}, by {_origin(entry)}"


def _origin(entry: Entry) -> str:
    """The command and who typed it, the run and the commit that made the version."""
    told = f"{entry.by}{f' ({entry.who})' if entry.who else ''}"
    return told + "".join(
        f", {name} {text[:8]}" for name, text in (("run", entry.run), ("commit", entry.commit)) if text
    )


def _local(entry: Entry) -> str:
    return f"{datetime.fromisoformat(entry.time).astimezone():%Y-%m-%d %H:%M:%S%z}"
