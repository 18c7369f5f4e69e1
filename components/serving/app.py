"""The HTTP application: the Open Inference Protocol's REST form over a repository, and /metrics."""

from __future__ import annotations

import asyncio
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response

from components.serving.middleware import RequestMiddleware
from components.serving.openai_routes import openai_routes
from components.serving.openapi import MODEL, VERSION, WORK, body, document, errors, router
from components.serving.protocol import JSON_LENGTH, InferRequest, read_request, write_answer
from components.serving.request_error import ERROR_HANDLERS, RequestError
from components.serving.schemas import (
    IDS_EXAMPLE,
    TEXT_EXAMPLE,
    Error,
    InferenceRequest,
    InferenceResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)
from components.serving.service import Service, encoded, json_response
from components.serving.task_model import TaskModel
from components.tasks.task import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

    from components.serving.middleware import RequestContext
    from components.serving.model_repository import LoadedModel

EXTENSIONS = ["binary_tensor_data"]
BODY_TYPES = ("application/json", "application/octet-stream")
OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
PLAIN = {"text/plain": {"schema": {"type": "string"}}}
DESCRIPTION = (
    "Every answer has x-request-id, the caller's or a new one, and x-lianzi-trace, which names the server and the "
    "model that gave it."
)


async def _infer(service: Service, request: Request, name: str, version: str | None) -> Response:
    context = request.scope["context"]
    deadline = service.admit()
    with service.repository.lease(name, version) as served:
        context.served = served
        model, _ = served.batched(TaskModel)
        body = await service.body(request, deadline, BODY_TYPES)
        asked = read_request(body, request.headers.get(JSON_LENGTH))
        model.check(asked, service.limits)
        chosen = served if version is not None else _chosen(service, served, model, asked)
        with service.repository.hold(chosen):
            context.served, context.canary = chosen, chosen is not served
            context.logged = model.texts[0] in asked.inputs
            return await _answer(service, context, chosen, asked, len(body), deadline)


def _chosen(service: Service, served: LoadedModel, model: TaskModel, asked: InferRequest) -> LoadedModel:
    """The canary for its share of texts. Token ids mean something to one model alone."""
    if model.texts[0] not in asked.inputs:
        return served
    return service.repository.choose(served, _texts(model, asked))


def _texts(model: TaskModel, asked: InferRequest) -> list[str]:
    return ["\n".join(parts(text)) for text in model.texts_of(asked)]


async def _answer(
    service: Service, context: RequestContext, served: LoadedModel, asked: InferRequest, size: int, deadline: float
) -> Response:
    """Answer a checked request of so many bytes."""
    model, batcher = served.batched(TaskModel)
    try:
        async with asyncio.timeout_at(deadline):
            rows = await encoded(service.workers, model.classifier.encoder, size, model.rows, asked)
            context.rows = len(rows)
            # More windows of contexts than the queue holds would be put off for ever.
            if len(rows) > (most := service.limits.max_queue):
                raise RequestError(422, f"{len(rows)} windows of contexts, at most {most} are taken at once")
            logits = model.logits(rows, await batcher.submit(rows))
    except TimeoutError:
        raise service.too_late() from None
    if service.log and context.logged and service.log.wants(context.id):
        logged = map(model.classifier.form.logged, model.answers(asked, logits))
        service.log.put_answers(context, _texts(model, asked), list(logged))
    answer, headers = write_answer(served.name, served.version, asked, model.outputs(asked, logits))
    return Response(answer, headers=headers)


def make_app(
    service: Service, say: Callable[[str], None], keys: tuple[bytes, ...] = (), tracer: Tracer | None = None
) -> RequestMiddleware:
    """The application; every answer carries x-request-id and x-lianzi-trace, every error is {"error": reason}."""
    locked = bool(keys)
    routers = [make(service, locked) for make in (_protocol_routes, openai_routes, _monitoring_routes)]
    app = FastAPI(
        title="Lianzi",
        version=installed("lianzi"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=[route for made in (*routers, _health_routes(service)) for route in made.routes],
        # Served by a route of ours, which fills in the models; FastAPI's pages would load scripts from elsewhere.
        openapi_url=None,
        redirect_slashes=False,
        # Spans and metrics are RequestMiddleware's, and FastAPI asks for its own at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for kind, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)
    failed = service.log.put_failure if service.log else None
    return RequestMiddleware(
        app, service.admission, service.metrics, f"lianzi/{installed('lianzi')}", say, keys, tracer, failed
    )


def _protocol_routes(service: Service, locked: bool) -> APIRouter:
    routes = router("inference protocol", Error, locked)
    infers: Any = {
        "response_model": InferenceResponse,
        "responses": errors(Error, *WORK, 422) | {200: {"content": OCTETS}},
        "openapi_extra": {"requestBody": {"content": OCTETS}},
    }
    describes: Any = {"response_model": ModelMetadata, "responses": errors(Error, 404)}
    readies: Any = {"response_model": ModelReady, "responses": errors(Error, 404) | errors(ModelReady, 503)}
    asked = [body(InferenceRequest, text=TEXT_EXAMPLE, ids=IDS_EXAMPLE), Depends(_json_length)]

    @routes.post("/v2/models/{name}/infer", dependencies=[*MODEL, *asked], **infers)
    @routes.post("/v2/models/{name}/versions/{version}/infer", dependencies=[*VERSION, *asked], **infers)
    async def infer(request: Request) -> Response:
        """Answer texts, or rows of token ids."""
        return await _infer(service, request, request.path_params["name"], request.path_params.get("version"))

    @routes.get("/v2/models/{name}", dependencies=MODEL, **describes)
    @routes.get("/v2/models/{name}/versions/{version}", dependencies=VERSION, **describes)
    async def model(request: Request) -> Response:
        """The tensors that a model takes and gives."""
        served = _served(service, request)
        return json_response({"name": served.name, "versions": [served.version], **served.model.describe()})

    @routes.get("/v2/models/{name}/ready", dependencies=MODEL, **readies)
    @routes.get("/v2/models/{name}/versions/{version}/ready", dependencies=VERSION, **readies)
    async def model_ready(request: Request) -> Response:
        """Whether a model answers."""
        content = ModelReady(name=_served(service, request).name, ready=service.ready)
        return json_response(content, 200 if service.ready else 503)

    @routes.get("/v2", response_model=ServerMetadata)
    async def server(request: Request) -> Response:
        """The server's name and version."""
        return json_response(ServerMetadata(name="lianzi", version=installed("lianzi"), extensions=EXTENSIONS))

    return routes


def _json_length(
    length: Annotated[
        int | None, Header(alias=JSON_LENGTH, ge=0, description="bytes of JSON before binary data")
    ] = None,
) -> None:
    """A parameter for the document."""


def _served(service: Service, request: Request) -> LoadedModel:
    served = service.repository.find(request.path_params["name"], request.path_params.get("version"))
    request.scope["context"].served = served
    return served


def _health_routes(service: Service) -> APIRouter:
    # A probe has no key.
    routes = router("health", Error, locked=False)

    @routes.get("/v2/health/live", response_model=Live)
    async def live(request: Request) -> Response:
        """Whether the server runs."""
        return json_response(Live(live=True))

    @routes.get("/v2/health/ready", response_model=Ready, responses=errors(Ready, 503))
    async def ready(request: Request) -> Response:
        """Whether the server takes requests."""
        return json_response(Ready(ready=service.ready), 200 if service.ready else 503)

    return routes


def _monitoring_routes(service: Service, locked: bool) -> APIRouter:
    routes = router("monitoring", Error, locked)

    @routes.get("/metrics", response_class=Response, responses={200: {"content": PLAIN}})
    async def metrics(request: Request) -> Response:
        """Counters and histograms, as Prometheus reads them."""
        return Response(service.metrics.page(), media_type=service.metrics.content_type)

    @routes.get("/openapi.json", response_model=dict[str, Any])
    async def openapi(request: Request) -> Response:
        """This document."""
        return json_response(document(request.app, service.repository))

    return routes
