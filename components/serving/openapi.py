"""/openapi.json (OpenAPI 3.1): FastAPI writes it from the routes; the names of the models served now are filled in."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import TypeAdapter
from starlette.types import Receive, Scope, Send

from components.runtime.encoding import IDS, MASK, TYPES
from components.serving.embedding import Embedding
from components.serving.generation import Generation
from components.serving.model_repository import LoadedModel, ModelRepository
from components.serving.openai_answers import ChatCompletionChunk
from components.serving.task_model import CHOICES, TaskModel

JSON, EVENTS = "application/json", "text/event-stream"
REFERENCE = "#/components/schemas/{model}"
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
WORK = (400, 404, 408, 413, 415, 429, 500, 503)
"""Errors of a route that reads a body and runs a model."""
RETRY = {"headers": {"retry-after": {"description": "seconds", "schema": {"type": "integer"}}}}
KEYS = [Security(HTTPBearer(scheme_name="bearer")), Security(APIKeyHeader(scheme_name="header", name="x-api-key"))]


class DirectRoute(APIRoute):
    """A route that is documented from its models and dependencies; its handler gets the request alone.

    So nothing is parsed, validated or serialized twice: FastAPI's own way costs more than reading the body.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["context"].route = self.name
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def router(tag: str, error: Any, locked: bool) -> APIRouter:
    """Routes of one kind; `error`: the schema of their errors, `locked`: the server asks for a key."""
    return APIRouter(
        tags=[tag],
        route_class=DirectRoute,
        dependencies=KEYS if locked else [],
        responses=errors(error, 401) if locked else {},
        generate_unique_id_function=_operation_id,
    )


def errors(schema: Any, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that may answer with these errors."""
    return {
        status: {"model": schema, "description": REASONS[status]} | (RETRY if status in (429, 503) else {})
        for status in statuses
    }


def body(model: Any, **examples: Any) -> Any:
    """The body of a request, with examples by name."""

    def documented(body: Any) -> None: ...

    shown: Any = {name: {"value": content} for name, content in examples.items()}
    documented.__annotations__["body"] = Annotated[model, Body(openapi_examples=shown)]
    return Depends(documented)


def _named(name: Annotated[str, Path(min_length=1)]) -> None:
    """A parameter for the document."""


def _versioned(version: Annotated[str, Path(min_length=1)]) -> None:
    """A parameter for the document."""


MODEL = [Depends(_named)]
VERSION = [*MODEL, Depends(_versioned)]


def stream_of(chunk: type) -> dict[int | str, Any]:
    """The response of a route that may stream server-sent events."""
    reference = {"$ref": REFERENCE.format(model=chunk.__name__)}
    part = {"type": "string", "contentMediaType": JSON, "contentSchema": reference}
    data = {"anyOf": [part, {"enum": ["[DONE]"]}], "description": "a chunk, an error in its stead, or the end"}
    schema = {"type": "object", "required": ["data"], "properties": {"data": data}}
    return {200: {"content": {EVENTS: {"schema": schema}}}}


def document(app: FastAPI, repository: ModelRepository) -> dict[str, Any]:
    """The document. Where a request names a model, its schema lists the models that answer there."""
    made = copy.deepcopy(app.openapi())
    schemas = made["components"]["schemas"]
    # No response of FastAPI's has two content types of two models.
    streamed = TypeAdapter(ChatCompletionChunk)
    schemas |= TypeAdapter.json_schemas([("", "serialization", streamed)], ref_template=REFERENCE)[1]["$defs"]
    for path, operation in [(path, one) for path, item in made["paths"].items() for one in item.values()]:
        # FastAPI's own validation never runs.
        if operation["responses"].get("422", {}).get("description") == "Validation Error":
            del operation["responses"]["422"]
        served = [one for one in repository.models.values() if _answers(one, path)]
        beside = [one for one in repository.canaries.values() if _answers(one, path)]
        versions = sorted({one.version for one in (*served, *beside)})
        known = {"name": [one.name for one in served], "version": versions}
        for parameter in operation.get("parameters", []):
            if known.get(parameter["name"]):
                parameter["schema"]["enum"] = known[parameter["name"]]
        if served and path.startswith("/v1/") and "requestBody" in operation:
            content = operation["requestBody"]["content"][JSON]
            content["examples"]["short"]["value"]["model"] = known["name"][0]
            schemas[content["schema"]["$ref"].rpartition("/")[2]]["properties"]["model"]["enum"] = known["name"]
    _add_inputs(schemas, [one.model for one in repository.models.values() if isinstance(one.model, TaskModel)])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return made


def _add_inputs(schemas: dict[str, Any], models: list[TaskModel]) -> None:
    """Describe what the models take, where that is more than one text, or token ids and their mask."""
    taken = dict.fromkeys(names for model in models for names in (model.texts, model.encoded) if names)
    if {name for names in taken for name in names} <= {"text", IDS, MASK}:
        return
    like = {IDS: "IdsInput", MASK: "MaskInput", TYPES: "MaskInput"}
    text = {"type": "string"}
    data = {"type": "array", "minItems": 1, "items": {"anyOf": [text, {"type": "array", "minItems": 2, "items": text}]}}
    rows = {"data": data, "shape": schemas["IdsInput"]["properties"]["shape"]}
    forms = []
    for names in taken:
        known = [schemas[like.get(name, "TextInput")] for name in names]
        inputs = [
            one | {"properties": one["properties"] | {"name": {"const": name}} | (rows if name == CHOICES else {})}
            for name, one in zip(names, known, strict=True)
        ]
        forms.append({"type": "array", "prefixItems": inputs, "minItems": len(names), "maxItems": len(names)})
    schemas["InferenceRequest"]["properties"]["inputs"] = {"anyOf": forms}


def _answers(served: LoadedModel, path: str) -> bool:
    """Whether a model can be named at this path."""
    if path.startswith("/v1/models"):
        return isinstance(served.model, Generation | Embedding)
    general = path.replace("/versions/{version}", "").replace("{name}", "NAME")
    return general in served.model.endpoints or not general.endswith(("/infer", "completions", "embeddings"))


def _operation_id(route: APIRoute) -> str:
    return route.name + "_of_version" * ("{version}" in route.path)
