"""The HTTP application: the Open Inference Protocol's REST form over a catalogue, and /metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from components.serving.catalogue import Catalogue, Served
from components.serving.front import Front, Gate
from components.serving.limits import Limits
from components.serving.measures import Measures
from components.serving.protocol import JSON_LENGTH, read_request, write_answer
from components.serving.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

EXTENSIONS = ["binary_tensor_data"]
BODY_TYPES = ("application/json", "application/octet-stream")
MUCH_TEXT = 4096
"""Characters past which texts are encoded in a thread, lest other requests wait for them."""


@dataclass
class Service:
    """What the handlers share."""

    limits: Limits
    catalogue: Catalogue = field(default_factory=Catalogue)
    gate: Gate = field(default_factory=Gate)

    def __post_init__(self) -> None:
        self.measures = Measures(self.catalogue)

    @property
    def ready(self) -> bool:
        return bool(self.catalogue.models) and not self.gate.draining

    async def infer(self, request: Request, name: str, version: str | None = None) -> Response:
        """Answer an infer request. Raises Refusal."""
        passage = request.scope["passage"]
        passage.route = "infer"
        self._admit()
        deadline = asyncio.get_running_loop().time() + self.limits.timeout
        with self.catalogue.lease(name, version) as served:
            passage.served = served
            body = await self._body(request, deadline)
            asked = read_request(body, request.headers.get(JSON_LENGTH))
            served.model.check(asked, self.limits)
            try:
                async with asyncio.timeout_at(deadline):
                    rows = await _rows(served, asked, len(body))
                    passage.rows = len(rows)
                    logits = await served.batcher.submit(rows)
            except TimeoutError:
                raise Refusal(503, f"no answer within {self.limits.timeout:g} s") from None
            answer, headers = write_answer(name, served.version, asked, served.model.outputs(asked, logits))
            return Response(answer, headers=headers)

    def _admit(self) -> None:
        if not self.ready:
            raise Refusal(503, "the server is about to stop" if self.gate.draining else "no model is loaded yet")
        # Bodies take memory before their rows are counted.
        if self.gate.under_way > 2 * self.limits.max_queue:
            raise Refusal(429, f"{self.gate.under_way} requests are under way already")

    async def _body(self, request: Request, deadline: float) -> bytes:
        _check_headers(request)
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.limits.max_body:
            raise Refusal(413, f"a body of {declared} bytes, at most {self.limits.max_body} are taken")
        parts, size = [], 0
        try:
            async with asyncio.timeout_at(deadline):
                async for part in request.stream():
                    size += len(part)
                    if size > self.limits.max_body:
                        raise Refusal(413, f"a body of more than {self.limits.max_body} bytes")
                    parts.append(part)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {self.limits.timeout:g} s") from None
        except ClientDisconnect:
            raise Refusal(400, "the client went away") from None
        return b"".join(parts)


def make_app(
    service: Service, say: Callable[[str], None], keys: tuple[bytes, ...] = (), tracer: Tracer | None = None
) -> Front:
    """The application; every answer carries x-request-id and x-lianzi-trace, every error is {"error": reason}."""
    # Its pages about the interface would load scripts from elsewhere; the protocol describes itself by metadata.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_infer(app, service)
    _add_models(app, service)
    _add_health(app, service)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        request.scope["passage"].route = "metrics"
        return Response(service.measures.page(), media_type=service.measures.content_type)

    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _failed)
    return Front(app, service.gate, service.measures, f"lianzi/{installed('lianzi')}", say, keys, tracer)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/v2")
    async def server(request: Request) -> Response:
        request.scope["passage"].route = "server"
        return _json({"name": "lianzi", "version": installed("lianzi"), "extensions": EXTENSIONS})

    @app.get("/v2/health/live")
    async def live(request: Request) -> Response:
        request.scope["passage"].route = "live"
        return _json({"live": True})

    @app.get("/v2/health/ready")
    async def ready(request: Request) -> Response:
        request.scope["passage"].route = "ready"
        return _json({"ready": service.ready}, 200 if service.ready else 503)


def _add_infer(app: FastAPI, service: Service) -> None:
    # Path parameters are taken from the request here: FastAPI's own way costs more than reading the body.
    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(request: Request) -> Response:
        return await service.infer(request, request.path_params["name"], request.path_params.get("version"))


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def model(request: Request, name: str, version: str | None = None) -> Response:
        request.scope["passage"].route = "model"
        served = request.scope["passage"].served = service.catalogue.find(name, version)
        return _json({"name": name, "versions": [served.version], **served.model.describe()})

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
        request.scope["passage"].route = "model_ready"
        request.scope["passage"].served = service.catalogue.find(name, version)
        return _json({"name": name, "ready": service.ready}, 200 if service.ready else 503)


def _check_headers(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in BODY_TYPES:
        raise Refusal(415, f"content-type is {' or '.join(BODY_TYPES)}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed bodies are not taken")


async def _rows(served: Served, asked: Any, size: int) -> list[list[int]]:
    if size > MUCH_TEXT:
        return await asyncio.to_thread(served.model.rows, asked)
    return served.model.rows(asked)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    answer = _json({"error": error.reason}, error.status)
    answer.headers.update(error.headers)
    return answer


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _json({"error": str(error.detail)}, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """A bug, or a row that the engine fails on; its traceback goes to the log."""
    return _json({"error": f"internal error ({type(error).__name__}); request {request.scope['passage'].id}"}, 500)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
