"""Shared by all routes: the models, the limits, the metrics, and the admission of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from components.serving.limits import Admission, Limits
from components.serving.metrics import Metrics
from components.serving.model_repository import ModelRepository
from components.serving.protocol import byte_count
from components.serving.request_error import RequestError
from components.serving.working import Workers

if TYPE_CHECKING:
    from components.runtime.encoding import Encoder
    from components.serving.request_log import RequestLog

Result = TypeVar("Result")
GONE = "the client went away"
MUCH_TEXT, MUCH_TEXT_LOOKED_UP = 4096, 1 << 18
"""The size above which texts are encoded in a thread, so that other requests do not wait; the second one with the word
cache, of which every encoding thread has its own.
"""


@dataclass
class Service:
    """The state shared by the handlers; `log` is None where no requests are kept."""

    limits: Limits
    repository: ModelRepository = field(default_factory=ModelRepository)
    admission: Admission = field(default_factory=Admission)
    log: RequestLog | None = None
    workers: Workers = field(default_factory=Workers)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.repository)

    @property
    def ready(self) -> bool:
        return bool(self.repository.models) and not self.admission.draining

    def admit(self) -> float:
        """Admit a request. Returns its deadline by the event loop's clock. Raises RequestError (429, 503)."""
        if not self.ready:
            raise RequestError(
                503, "the server is about to stop" if self.admission.draining else "no model is loaded yet"
            )
        # Bodies take memory before their rows are counted.
        if self.admission.under_way > 2 * self.limits.max_queue:
            raise RequestError(429, f"{self.admission.under_way} requests are under way already")
        return asyncio.get_running_loop().time() + self.limits.timeout

    async def body(self, request: Request, deadline: float, kinds: tuple[str, ...]) -> bytes:
        """The complete body, which must have one of these content types. Raises RequestError."""
        _check_headers(request, kinds)
        declared = byte_count(request.headers.get("content-length", "0"))
        if declared is None:
            raise RequestError(400, "content-length is not a number of bytes")
        if declared > self.limits.max_body:
            raise RequestError(413, f"a body of {declared} bytes, at most {self.limits.max_body} are taken")
        parts, size = [], 0
        try:
            async with asyncio.timeout_at(deadline):
                async for part in request.stream():
                    size += len(part)
                    if size > self.limits.max_body:
                        raise RequestError(413, f"a body of more than {self.limits.max_body} bytes")
                    parts.append(part)
        except TimeoutError:
            raise RequestError(408, f"the body did not arrive within {self.limits.timeout:g} s") from None
        except ClientDisconnect:
            raise RequestError(400, GONE) from None
        return b"".join(parts)

    def too_late(self) -> RequestError:
        """The error for an answer that takes too long."""
        return RequestError(503, f"no answer within {self.limits.timeout:g} s")


async def while_there(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], work: Coroutine[Any, Any, Result]
) -> Result:
    """The result of `work`; it is cancelled, and RequestError raised, when the client disconnects after its request was
    read.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RequestError(400, GONE)
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_headers(request: Request, kinds: tuple[str, ...]) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in kinds:
        raise RequestError(415, f"content-type is {' or '.join(kinds)}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(415, "compressed bodies are not supported")


async def encoded(
    workers: Workers, encoder: Encoder, size: int, rows: Callable[[Any], list[list[int]]], given: Any
) -> list[list[int]]:
    """`rows(given)`, which encodes about `size` bytes: in a thread where it would block other requests."""
    if size > (MUCH_TEXT_LOOKED_UP if encoder.words else MUCH_TEXT):
        return await workers.run(rows, given)
    return rows(given)


def json_response(content: Any, status: int = 200) -> Response:
    """An answer; FastAPI neither validates nor serializes it again."""
    return Response(orjson.dumps(content), status, media_type="application/json")
