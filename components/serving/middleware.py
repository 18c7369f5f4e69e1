"""What every request passes: its id, the key, the count of what is under way, the log line, the metrics, the span.

Keys are read from a file, compared in constant time and shown nowhere.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from components.errors import ParameterError
from components.serving.limits import Admission
from components.serving.metrics import Metrics
from components.serving.request_error import error_content
from components.serving.spans import record_span

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from components.serving.model_repository import LoadedModel

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

REQUEST_ID = re.compile(rb"[\w.:\-]{1,128}")
OPEN_PATHS = ("/v2/health/live", "/v2/health/ready")
"""What a probe may ask without a key."""
SHORTEST_KEY = 16
STOPPED = "the server has stopped before this was answered"
LAST_WORDS = 1.0
"""Seconds in which a client is to take the news that its request was given up."""


@dataclass
class RequestContext:
    """One request on its way through; handlers fill in what they learn."""

    id: str
    method: str
    route: str = "other"
    served: LoadedModel | None = None
    canary: bool = False
    """The hash of its texts gave it to a canary; one that names the canary's version did not come so."""
    logged: bool = False
    """Its answer goes into the log of requests, if that keeps it, and so does a failure. Those of token ids and
    embeddings do not: failures alone would look like a model that fails more often."""
    rows: int = 0
    tokens: int = 0
    """Generated for it."""
    status: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def model(self) -> str:
        return self.served.name if self.served else ""

    @property
    def version(self) -> str:
        return self.served.version if self.served else ""

    @property
    def milliseconds(self) -> float:
        """Since it came."""
        return round((time.perf_counter() - self.started) * 1e3, 3)


@dataclass
class RequestMiddleware:
    """The outermost ASGI application. No text of a request, no key and no unknown path goes into its log."""

    app: App
    admission: Admission
    metrics: Metrics
    server: str
    say: Callable[[str], None]
    keys: tuple[bytes, ...] = ()
    tracer: Tracer | None = None
    failed: Callable[[RequestContext], None] | None = None
    """Told of a request that a model did not answer."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        context = RequestContext(_request_id(headers), scope["method"])
        scope["context"] = context

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message["headers"], *self._marks(context)]
            await send(message)

        try:
            async with self.admission.passing():
                if self.keys and scope["path"] not in OPEN_PATHS and not allowed(self.keys, headers):
                    await _unauthorized(scope["path"], answer)
                else:
                    await self.app(scope, receive, answer)
        except TimeoutError:
            if not self.admission.given_up:
                raise
            if not context.status:
                await _given_up(scope["path"], context, answer)
        finally:
            self._record(context, headers)

    def _marks(self, context: RequestContext) -> list[tuple[bytes, bytes]]:
        trace = f"server={self.server}" + (f";{context.served.trace}" if context.served else "")
        marks = [(b"x-request-id", context.id.encode()), (b"x-lianzi-trace", trace.encode())]
        # A client that keeps its connection open would be cut off when the server ends.
        return [*marks, (b"connection", b"close")] if self.admission.draining else marks

    def _record(self, context: RequestContext, headers: dict[bytes, bytes]) -> None:
        seconds = time.perf_counter() - context.started
        self.metrics.requests.labels(context.route, context.model, context.version, context.status).inc()
        if context.route == "infer" and context.served:
            self.metrics.seconds.labels(context.model, context.version).observe(seconds)
        if self.failed and context.logged and context.status >= 500 and not self.admission.draining:
            self.failed(context)
        if context.tokens and context.served:
            self.metrics.generation_seconds.labels(context.model, context.version).observe(seconds)
        tokens = f"tokens={context.tokens} " if context.tokens else ""
        self.say(
            f"{context.status} {context.method} {context.route} {context.model or '-'} rows={context.rows} {tokens}"
            f"{seconds * 1e3:.1f}ms {context.id}"
        )
        if self.tracer:
            attributes = {
                "http.request.method": context.method,
                "http.response.status_code": context.status,
                "lianzi.request_id": context.id,
                "lianzi.rows": context.rows,
            }
            if context.tokens:
                attributes["lianzi.tokens"] = context.tokens
            if context.served:
                attributes |= {"lianzi.model": context.model, "lianzi.version": context.version}
            carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            record_span(self.tracer, f"{context.method} {context.route}", seconds, carried, attributes)


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


async def _unauthorized(path: str, send: Send) -> None:
    reason = "a valid API key is needed: authorization: Bearer KEY, or x-api-key: KEY"
    headers = [(b"www-authenticate", b"Bearer"), (b"connection", b"close")]
    await _refuse(error_content(path, 401, reason, code="invalid_api_key"), 401, headers, send)


async def _given_up(path: str, context: RequestContext, send: Send) -> None:
    content = error_content(path, 503, f"{STOPPED}; request {context.id}")
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            await _refuse(content, 503, [(b"retry-after", b"1")], send)


async def _refuse(content: dict[str, Any], status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    headers = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(content)})


def read_keys(path: Path) -> tuple[bytes, ...]:
    """One key a line, so that a new one can be let in before the old one goes. Raises ParameterError."""
    try:
        keys = tuple(line.strip() for line in path.read_bytes().splitlines() if line.strip())
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None
    if not keys or any(len(key) < SHORTEST_KEY for key in keys):
        raise ParameterError(
            f"{path}: needs a key of at least {SHORTEST_KEY} characters on each line", f"openssl rand -hex 32 > {path}"
        )
    return keys


def allowed(keys: tuple[bytes, ...], headers: dict[bytes, bytes]) -> bool:
    """Whether `authorization: Bearer KEY` or `x-api-key: KEY` gives one of the keys. Every key is compared."""
    given = headers.get(b"x-api-key", b"")
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        given = token.strip()
    return sum(hmac.compare_digest(key, given) for key in keys) > 0
