"""/openapi.json: what this server takes and gives with the models it serves now (OpenAPI 3.1)."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Request, Response
from pydantic.json_schema import models_json_schema

from components.serving.embedding import Embedding
from components.serving.generation import Generation
from components.serving.openai_requests import ChatRequest, CompletionRequest, EmbeddingRequest
from components.serving.protocol import JSON_LENGTH
from components.serving.schemas import INFER_EXAMPLES, OPENAI, PROTOCOL, events, ref
from components.serving.task_model import TaskModel

if TYPE_CHECKING:
    from components.serving.model_repository import ModelRepository
    from components.serving.service import Service

Operation = dict[str, Any]
JSON, OCTETS, EVENTS = "application/json", "application/octet-stream", "text/event-stream"
OPEN = ("/v2/health/live", "/v2/health/ready")
REASONS = {
    400: "malformed, or more than the model takes",
    401: "no valid API key",
    404: "not served now",
    408: "the body came too slowly",
    413: "the body is too long",
    415: "a content type or encoding that is not taken",
    422: "too many rows, too long a text, or ids that the model does not have",
    429: "the queue is full",
    500: "an error of the server",
    503: "no answer in time, or the server is stopping",
}
ASKING = (400, 404, 408, 413, 415, 429, 500, 503)
BYTES = {"type": "string", "format": "binary"}


def add_openapi(app: FastAPI, service: Service, locked: bool) -> None:
    """Add the route; `locked`: the server asks for a key."""

    @app.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        request.scope["context"].route = "openapi"
        return Response(orjson.dumps(document(service.repository, locked)), media_type=JSON)


def document(repository: ModelRepository, locked: bool) -> dict[str, Any]:
    """The whole of it; names are limited to what the repository has."""
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Lianzi",
            "version": installed("lianzi"),
            "description": "Every answer has x-request-id, the caller's or a new one, and x-lianzi-trace, which names "
            "the server and the model that gave it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _protocol_paths(repository) | _openai_paths(repository),
        "components": {"schemas": _schemas(repository)},
    }
    return _with_keys(made) if locked else made


def _protocol_paths(repository: ModelRepository) -> dict[str, Any]:
    name = _path_parameter("name", list(repository.models))
    infers = _path_parameter("name", _names(repository, TaskModel))
    version = _path_parameter("version", sorted({one.version for one in repository.models.values()}))
    paths: dict[str, Any] = {
        "/v2": {"get": _get("server", "Server")},
        "/v2/health/live": {"get": _get("live", "Live")},
        "/v2/health/ready": {"get": _get("ready", "Ready", also={503: "Ready"})},
        "/metrics": {"get": _answers("metrics", {"text/plain": {"schema": {"type": "string"}}})},
        "/openapi.json": {"get": _answers("openapi", {JSON: {"schema": {"type": "object"}}})},
    }
    for middle, given in (("", []), ("/versions/{version}", [version])):
        model, suffix = f"/v2/models/{{name}}{middle}", "_of_version" * bool(given)
        paths |= {
            model: {"parameters": [name, *given], "get": _get(f"model{suffix}", "Model", (404,))},
            f"{model}/ready": {
                "parameters": [name, *given],
                "get": _get(f"model_ready{suffix}", "ModelReady", (404,), {503: "ModelReady"}),
            },
            f"{model}/infer": {"parameters": [infers, *given], "post": _infer(f"infer{suffix}")},
        }
    return paths


def _openai_paths(repository: ModelRepository) -> dict[str, Any]:
    generating, embedding = _names(repository, Generation), _names(repository, Embedding)
    name = _path_parameter("name", generating + embedding)
    model = {"model": (generating or ["a-model"])[0]}
    begun = model | {"prompt": "床前明月光", "max_tokens": 8}
    said = model | {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8}
    texts = {"model": (embedding or ["a-model"])[0], "input": ["the moon", "明月"]}
    return {
        "/v1/completions": {"post": _post("completions", "CompletionRequest", "Completion", begun, streams=True)},
        "/v1/chat/completions": {"post": _post("chat", "ChatRequest", "ChatCompletion", said, streams=True)},
        "/v1/embeddings": {"post": _post("embeddings", "EmbeddingRequest", "Embeddings", texts)},
        "/v1/models": {"get": _get("models", "OpenAIModels")},
        "/v1/models/{name}": {
            "parameters": [name],
            "get": _get("openai_model", "OpenAIModel", (404,), error="OpenAIError"),
        },
    }


def _schemas(repository: ModelRepository) -> dict[str, Any]:
    kinds = (CompletionRequest, ChatRequest, EmbeddingRequest)
    _, top = models_json_schema([(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}")
    asked = top["$defs"]
    generating = _names(repository, Generation)
    names = (generating, generating, _names(repository, Embedding))
    for kind, known in zip(kinds, names, strict=True):
        if known:
            asked[kind.__name__]["properties"]["model"]["enum"] = known
    return PROTOCOL | OPENAI | asked


def _names(repository: ModelRepository, form: type) -> list[str]:
    return [one.name for one in repository.models.values() if isinstance(one.model, form)]


def _path_parameter(name: str, known: list[str]) -> dict[str, Any]:
    schema = {"type": "string", "enum": known} if known else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answers(operation: str, content: dict[str, Any]) -> Operation:
    return {"operationId": operation, "responses": {"200": {"description": "the answer", "content": content}}}


def _get(
    operation: str,
    schema: str,
    errors: tuple[int, ...] = (),
    also: dict[int, str] | None = None,
    error: str = "Error",
) -> Operation:
    """`also` are further statuses with a schema of their own."""
    made = _answers(operation, {JSON: {"schema": ref(schema)}})
    for status, name in [*((one, error) for one in errors), *(also or {}).items()]:
        made["responses"][str(status)] = _error(status, name)
    return made


def _post(operation: str, asked: str, given: str, example: dict[str, Any], streams: bool = False) -> Operation:
    answer: dict[str, Any] = {JSON: {"schema": ref(given)}}
    if streams:
        answer[EVENTS] = {"schema": events(f"{given}Chunk")}
    made = _answers(operation, answer)
    made["responses"] |= {str(status): _error(status, "OpenAIError") for status in ASKING}
    content = {JSON: {"schema": ref(asked), "examples": {"short": {"value": example}}}}
    return made | {"requestBody": {"required": True, "content": content}}


def _infer(operation: str) -> Operation:
    made = _answers(operation, {JSON: {"schema": ref("InferAnswer")}, OCTETS: {"schema": BYTES}})
    made["responses"] |= {str(status): _error(status, "Error") for status in (*ASKING, 422)}
    length = {
        "name": JSON_LENGTH,
        "in": "header",
        "description": "bytes of JSON before binary data",
        "schema": {"type": "integer", "minimum": 0},
    }
    examples = {name: {"value": value} for name, value in INFER_EXAMPLES.items()}
    content = {JSON: {"schema": ref("InferRequest"), "examples": examples}, OCTETS: {"schema": BYTES}}
    return made | {"parameters": [length], "requestBody": {"required": True, "content": content}}


def _error(status: int, schema: str) -> dict[str, Any]:
    made: dict[str, Any] = {"description": REASONS[status], "content": {JSON: {"schema": ref(schema)}}}
    if status in (429, 503):
        made["headers"] = {"retry-after": {"description": "seconds", "schema": {"type": "integer"}}}
    return made


def _with_keys(made: dict[str, Any]) -> dict[str, Any]:
    made["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for path, item in made["paths"].items():
        for method in {"get", "post"} & set(item) if path not in OPEN else ():
            item[method]["security"] = [{"bearer": []}, {"header": []}]
            item[method]["responses"]["401"] = _error(401, "OpenAIError" if path.startswith("/v1/") else "Error")
    return made
