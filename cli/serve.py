"""`lianzi serve`: champions, challengers, or bundles, behind the Open Inference Protocol and OpenAI's."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.signing import PUBLIC_KEY
from components import tracking
from components.artifacts import MANIFEST, digest
from components.champions import CHALLENGER, CHAMPION
from components.errors import ArtifactError, LianziError, ParameterError, first_line
from components.registry import Registry
from components.replacing import replace_json
from components.runtime.manifest import model_name, read_bundle
from components.serving.limits import Limits
from components.serving.servers import Server, forget_server, note_server

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from components.serving.metrics import Metrics
    from components.serving.model_repository import LoadedModel, Release
    from components.serving.polling import ModelPoller
    from components.serving.request_log import RequestLog
    from components.serving.service import Service

ALIASES = (CHAMPION, CHALLENGER)
LIMITS = Limits()
LOOPBACK = ("127.0.0.1", "localhost")
PATIENCE = 3.0
"""Seconds for requests that still run when the server has stopped."""
REQUESTS = Path(".lianzi/requests.jsonl")
RECORD = Path(".lianzi/serving.json")
"""The record of the last served champions, so that a restart neither waits for MLflow nor needs it."""


@click.command("serve")
@click.argument("what", nargs=-1, required=True, metavar="champion|challenger|TASK[@ALIAS]|BUNDLE...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Require an API key: any line of this file.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With --tls-key: HTTPS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Key of --tls-cert.")
@click.option(
    "--max-queue",
    default=LIMITS.max_queue,
    show_default=True,
    type=click.IntRange(1),
    help="Largest number of waiting rows.",
)
@click.option(
    "--max-rows", default=LIMITS.max_rows, show_default=True, type=click.IntRange(1), help="Rows of a request."
)
@click.option(
    "--max-delay",
    default=LIMITS.max_delay,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds to fill a batch.",
)
@click.option(
    "--timeout", default=LIMITS.timeout, show_default=True, type=click.FloatRange(0.01), help="Seconds to an answer."
)
@click.option(
    "--drain", default=LIMITS.drain, show_default=True, type=click.FloatRange(0), help="Seconds to finish in."
)
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Parallel batches of a model.")
@click.option(
    "--poll", default=3.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between polls for champions."
)
@click.option(
    "--public-key", envvar=PUBLIC_KEY, type=click.Path(path_type=Path), help="Refuse bundles that it did not sign."
)
@click.option(
    "--canary",
    # Less than all: a canary is judged beside the champion.
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="The challenger answers this share of the texts; `lianzi watch` judges it.",
)
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="A line for each request.")
@click.option(
    "--log-requests", type=click.FloatRange(0, 1, min_open=True), help="Keep this share of requests, scrubbed."
)
@click.option(
    "--log-file",
    default=REQUESTS,
    show_default=True,
    type=click.Path(path_type=Path),
    help="File for the kept requests.",
)
def command(
    what: tuple[str, ...],
    host: str,
    port: int,
    api_key_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    threads: int,
    poll: float,
    public_key: Path | None,
    canary: float | None,
    access_log: bool,
    log_requests: float | None,
    log_file: Path,
    **bounds: Any,
) -> None:
    """Serve every task's champion or challenger, that of TASK, or the bundles in some folders, until SIGTERM or Ctrl-C.

    The REST form of the Open Inference Protocol (KServe v2, Triton): POST /v2/models/TASK/infer; OpenAI's form for what
    generates or embeds: POST /v1/chat/completions. See docs/serving.md, and /openapi.json of a server.
    """
    if (tls_cert is None) != (tls_key is None):
        raise ParameterError("--tls-cert and --tls-key go together")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    log = (log_requests, log_file) if log_requests else None
    options = ServeOptions(host, port, api_key_file, tls, threads, poll, access_log, public_key, log, canary)
    serve(what, replace(LIMITS, **bounds), options)


@dataclass(frozen=True)
class ServeOptions:
    """The address and the options of the server."""

    host: str
    port: int
    key_file: Path | None
    tls: tuple[Path, Path] | None
    threads: int
    poll: float
    access_log: bool
    public_key: Path | None = None
    request_log: tuple[float, Path] | None = None
    """The share of requests to keep, and the file."""
    canary: float | None = None


@dataclass
class Champions:
    """The champions, or challengers, of some tasks; canaries: the challengers beside the champions."""

    root: Path
    tasks: Sequence[str]
    alias: str = CHAMPION
    canaries: bool = False
    _registry: Registry | None = field(default=None, repr=False)
    _fetched: dict[str, Release] = field(default_factory=dict)
    _challengers: dict[str, Release] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    """Why a challenger answers nothing; each is said once."""

    def remembered(self) -> list[Release]:
        """The last served champions of the present store whose bundles still exist. A challenger may be one no more."""
        from components.serving.model_repository import Release

        if self.alias != CHAMPION:
            return []
        champions = self._record()
        return [
            Release(task, one["version"], Path(one["bundle"]))
            for task, one in champions.items()
            if task in self.tasks
            and (Path(one["bundle"]) / MANIFEST).is_file()
            and digest(Path(one["bundle"])) == one["digest"]
        ]

    def current(self) -> list[Release]:
        """The current ones from the registry; tasks without one are left out. Who was challenger last answers on."""
        from components.serving.model_repository import Release

        if self._registry is None:
            if not tracking.store_exists():
                return []
            self._registry = Registry()
        for task in self.tasks:
            champion = self._registry.version_at(task, self.alias)
            known = self._fetched.get(task)
            if champion is not None and (known is None or known.version != str(champion.version)):
                folder = self._registry.bundle(task, champion.version)
                self._fetched[task] = Release(task, str(champion.version), folder)
                if self.alias != CHAMPION:
                    continue
                try:
                    self._remember(self._fetched[task])
                except OSError as error:
                    say(f"{RECORD}: {error.strerror}; after a restart the registry must answer")
        if self.canaries:
            self._challengers = {name: one for name in self._fetched if (one := self._challenger(name, self._registry))}
        return [*self._fetched.values(), *self._challengers.values()]

    def _challenger(self, task: str, registry: Registry) -> Release | None:
        """The challenger of a task as a canary. One that is none any more answers nothing."""
        from components.serving.model_repository import Release

        challenger, known = registry.challenger(task), self._challengers.get(task)
        if challenger is None or (known is not None and known.version == str(challenger.version)):
            return None if challenger is None else known
        try:
            folder = registry.bundle(task, challenger.version)
        except LianziError as error:  # the champions are followed all the same
            if (why := f"{task}: v{challenger.version} is no canary: {first_line(error)}") not in self._told:
                self._told.add(why)
                say(why)
            return None
        return Release(task, str(challenger.version), folder, canary=True)

    def _remember(self, release: Release) -> None:
        told = {"version": release.version, "bundle": str(release.bundle), "digest": digest(release.bundle)}
        champions = self._record() | {release.name: told}
        replace_json(self.root / RECORD, {"store": _store(), "champions": champions})

    def _record(self) -> dict[str, dict[str, str]]:
        try:
            record = json.loads((self.root / RECORD).read_text(encoding="utf-8"))
            champions: dict[str, dict[str, str]] = record["champions"]
            return champions if record["store"] == _store() else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _store() -> str:
    return tracking.without_password(tracking.tracking_uri())


def bundle_release(folder: Path) -> Release:
    """A single bundle; its version is the beginning of its digest. Raises ArtifactError."""
    from components.serving.model_repository import Release

    return Release(model_name(read_bundle(folder)), digest(folder)[:12], folder)


def bundle_releases(folders: Sequence[Path]) -> list[Release]:
    """Several bundles, each under its own name. Raises ArtifactError, ParameterError."""
    releases = [bundle_release(folder.absolute()) for folder in folders]
    for number, one in enumerate(releases):
        other = next((before for before in releases[:number] if before.name == one.name), None)
        if other:
            raise ParameterError(f"{one.bundle} and {other.bundle} are both of '{one.name}'", "serve them on two ports")
    return releases


def wanted(what: str, known: Sequence[str]) -> tuple[list[str], str]:
    """The tasks and the alias that `champion`, `challenger`, TASK or TASK@ALIAS stands for. Raises ParameterError."""
    task, _, alias = what.partition("@")
    if what in ALIASES and what not in known:
        return list(known), what
    if task in known and (alias in ALIASES or what == task):
        return [task], alias or CHAMPION
    raise ParameterError(
        f"'{what}' is neither a bundle's folder nor a task of params.yaml",
        f"known: {', '.join((*ALIASES, *known))}, TASK@{CHALLENGER}",
    )


def serve(what: Sequence[str], limits: Limits, options: ServeOptions) -> None:
    """Serve until told to stop. Raises ParameterError, ArtifactError, EngineError, ServiceError."""
    from cli.ui import require_free
    from components.serving.app import make_app
    from components.serving.middleware import read_keys
    from components.serving.model_repository import load
    from components.serving.polling import ModelPoller
    from components.serving.server import run_server
    from components.serving.service import Service
    from components.serving.spans import open_tracer

    _check_bounds(limits, options)
    keys = read_keys(options.key_file) if options.key_file else ()
    tracer = open_tracer()
    if options.host in LOOPBACK:
        require_free(options.port, "--port")
    service = Service(limits)
    scheme = "https" if options.tls else "http"
    url = f"{scheme}://{options.host}:{options.port}"
    service.repository.changed = partial(_note, service, url)
    if options.request_log:
        service.log = open_log(options.request_log, service.metrics)
    load_one = partial(load, limits=limits, metrics=service.metrics, threads=options.threads)
    if options.public_key:
        load_one = partial(_load_signed, load_one, options.public_key)
    service.repository.share = options.canary or 0.0
    first, champions = first_models(what, load_one, options.canary is not None)
    if options.canary is not None and not options.request_log:
        say("no requests are kept, so nothing can judge a canary: --log-requests SHARE keeps some")
    poller = ModelPoller(champions.current, load_one, service.repository, say, options.poll) if champions else None

    def started(loop: asyncio.AbstractEventLoop) -> None:
        for served in first:
            service.repository.put(served)
            say(f"{served.name}: version {served.version}, bundle {served.digest[:12]}")
        say(f"{url}/v2  (Ctrl-C finishes accepted requests)")
        if not keys and options.host not in LOOPBACK:
            say("anyone who reaches this address may send requests: --api-key-file requires a key")
        if poller:
            poller.start(loop)

    async def stopped() -> None:
        for served in service.repository.every:
            await served.close()

    app = make_app(service, say if options.access_log else _nothing, keys, tracer)
    run_server(app, (options.host, options.port), options.tls, limits.drain, say, started, stopped)
    forget_server(Path.cwd(), os.getpid())
    _leave(service, poller, tracer)


def _note(service: Service, url: str) -> None:
    """Note in the project what answers here now, for `lianzi trace`."""
    if (Path.cwd() / "params.yaml").is_file():
        models, canaries = (
            {name: {"version": one.version, "digest": one.digest} for name, one in served.items()}
            for served in (service.repository.models, service.repository.canaries)
        )
        note_server(Path.cwd(), Server(url, os.getpid(), models, canaries, service.repository.share))


def _leave(service: Service, poller: ModelPoller | None, tracer: Tracer | None) -> None:
    """Let everything finish that ends soon, and end the process where something does not.

    An engine, a tokenizer or a disk may never return; the interpreter would wait for it, or crash on it.
    """
    from components.serving.spans import close_tracer

    until = time.monotonic() + PATIENCE

    def left() -> float:
        return max(0.0, until - time.monotonic())

    ended = [poller is None or poller.stop(left())]
    ended += [served.batcher.join(left()) for served in service.repository.every]
    ended.append(service.log is None or service.log.close(max(1.0, left())))
    ended.append(tracer is None or close_tracer(tracer, max(1.0, left())))
    ended.append(not service.workers.busy)
    try:
        sys.stderr.flush()
    except OSError:  # nor can the interpreter flush it
        ended.append(False)
    if not all(ended):
        os._exit(0)


def _check_bounds(limits: Limits, options: ServeOptions) -> None:
    """Raises ParameterError for NaN: every comparison with it is false, so it limits nothing."""
    bounds = {"timeout": limits.timeout, "drain": limits.drain, "max-delay": limits.max_delay, "poll": options.poll}
    if options.request_log:
        bounds["log-requests"] = options.request_log[0]
    if options.canary is not None:
        bounds["canary"] = options.canary
    for name, value in bounds.items():
        if math.isnan(value):
            raise ParameterError(f"--{name}: nan is not a number")


def open_log(wanted: tuple[float, Path], metrics: Metrics) -> RequestLog:
    """Raises ServiceError."""
    from components.serving.request_log import RequestLog

    share, path = wanted
    say(f"keeping {share:.2%} of requests, scrubbed, in {path}")
    return RequestLog(path, share, lambda rows, reason: metrics.unlogged.labels(reason).inc(rows), say)


def first_models(
    what: Sequence[str], load_one: Callable[[Release], LoadedModel], canaries: bool = False
) -> tuple[list[LoadedModel], Champions | None]:
    """The loaded models to start with, and the champions to follow; None for folders of bundles."""
    folders = [Path(one) for one in what]
    if all((folder / MANIFEST).is_file() or len(folder.parts) > 1 for folder in folders):
        if canaries:
            raise ParameterError("--canary: folders have no challenger", "serve `champion`, or a task")
        return [load_one(one) for one in bundle_releases(folders)], None
    if len(what) > 1:
        raise ParameterError("several are served only from their folders", "or all champions: lianzi serve champion")
    from components.params import load_params
    from flows.settings import project_root

    root = project_root()
    tasks, alias = wanted(what[0], list(load_params(root / "params.yaml").tasks))
    if canaries and alias != CHAMPION:
        raise ParameterError(f"--canary: {what[0]} is the challenger itself", "serve `champion`, or a task")
    champions = Champions(root, tasks, alias, canaries)
    try:
        remembered = [load_one(one) for one in champions.remembered()]
    except LianziError as error:
        say(f"served last: {first_line(error)}; asking the registry")
        remembered = []
    # Canaries are left to the poller: one that cannot be loaded keeps no champion back.
    first = remembered or [load_one(one) for one in champions.current() if not one.canary]
    if not first and champions.alias == CHALLENGER:
        raise ArtifactError(f"{what[0]}: no challenger", "`release.approval: true` lets a model wait as one")
    if not first:
        from components.registry import no_champion

        raise no_champion(what[0])
    return first, champions


def _load_signed(load_one: Callable[[Release], LoadedModel], public_key: Path, release: Release) -> LoadedModel:
    """Load a bundle that the key's owner signed. Raises ArtifactError for any other."""
    from components.runtime.signing import verify_bundle

    verify_bundle(release.bundle, public_key)
    return load_one(release)


def say(line: str) -> None:
    """Write a line of the server's log. Where that fails, the server goes on."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _nothing(line: str) -> None:
    """Used where no access log is wanted."""
