"""The HTTP application: the Open Inference Protocol's REST form over a repository, and /metrics."""

from __future__ import annotations

import asyncio
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from components.serving.middleware import RequestMiddleware
from components.serving.openai_routes import add_openai
from components.serving.openapi import add_openapi
from components.serving.protocol import JSON_LENGTH, read_request, write_answer
from components.serving.request_error import RequestError, error_content
from components.serving.service import Service, encoded
from components.serving.task_model import TaskModel, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

EXTENSIONS = ["binary_tensor_data"]
BODY_TYPES = ("application/json", "application/octet-stream")


async def _infer(service: Service, request: Request, name: str, version: str | None) -> Response:
    context = request.scope["context"]
    context.route = "infer"
    deadline = service.admit()
    with service.repository.lease(name, version) as served:
        context.served = served
        model, batcher = served.batched(TaskModel)
        body = await service.body(request, deadline, BODY_TYPES)
        asked = read_request(body, request.headers.get(JSON_LENGTH))
        model.check(asked, service.limits)
        try:
            async with asyncio.timeout_at(deadline):
                rows = await encoded(service.workers, model.classifier.encoder, len(body), model.rows, asked)
                context.rows = len(rows)
                logits = model.logits(rows, await batcher.submit(rows))
        except TimeoutError:
            raise service.too_late() from None
        if service.log and "text" in asked.inputs and service.log.wants(context.id):
            logged = map(model.classifier.form.logged, model.answers(asked, logits))
            service.log.put_answers(context, texts_of(asked), list(logged))
        answer, headers = write_answer(name, served.version, asked, model.outputs(asked, logits))
        return Response(answer, headers=headers)


def make_app(
    service: Service, say: Callable[[str], None], keys: tuple[bytes, ...] = (), tracer: Tracer | None = None
) -> RequestMiddleware:
    """The application; every answer carries x-request-id and x-lianzi-trace, every error is {"error": reason}."""
    # Its pages about the interface would load scripts from elsewhere, and its document knows no bodies read by hand.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_infer(app, service)
    _add_models(app, service)
    _add_health(app, service)
    add_openai(app, service)
    add_openapi(app, service, bool(keys))

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        request.scope["context"].route = "metrics"
        return Response(service.metrics.page(), media_type=service.metrics.content_type)

    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _failed)
    return RequestMiddleware(
        app, service.admission, service.metrics, f"lianzi/{installed('lianzi')}", say, keys, tracer
    )


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/v2")
    async def server(request: Request) -> Response:
        request.scope["context"].route = "server"
        return _json({"name": "lianzi", "version": installed("lianzi"), "extensions": EXTENSIONS})

    @app.get("/v2/health/live")
    async def live(request: Request) -> Response:
        request.scope["context"].route = "live"
        return _json({"live": True})

    @app.get("/v2/health/ready")
    async def ready(request: Request) -> Response:
        request.scope["context"].route = "ready"
        return _json({"ready": service.ready}, 200 if service.ready else 503)


def _add_infer(app: FastAPI, service: Service) -> None:
    # Path parameters are taken from the request here: FastAPI's own way costs more than reading the body.
    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(request: Request) -> Response:
        return await _infer(service, request, request.path_params["name"], request.path_params.get("version"))


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def model(request: Request, name: str, version: str | None = None) -> Response:
        request.scope["context"].route = "model"
        served = request.scope["context"].served = service.repository.find(name, version)
        return _json({"name": name, "versions": [served.version], **served.model.describe()})

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
        request.scope["context"].route = "model_ready"
        request.scope["context"].served = service.repository.find(name, version)
        return _json({"name": name, "ready": service.ready}, 200 if service.ready else 503)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    content = error_content(request.scope["path"], error.status, error.reason, error.param, error.code)
    answer = _json(content, error.status)
    answer.headers.update(error.headers)
    return answer


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _json(error_content(request.scope["path"], error.status_code, str(error.detail)), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """A bug, or a row that the engine fails on; its traceback goes to the log."""
    reason = f"internal error ({type(error).__name__}); request {request.scope['context'].id}"
    return _json(error_content(request.scope["path"], 500, reason), 500)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
