"""Requests that get no answer: the reason, the two forms in which a client gets it, and the response."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request, Response
from starlette.exceptions import HTTPException

OPENAI_KINDS = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}
"""`type` of an error under /v1; any other status is the request's fault."""


class RequestError(Exception):
    """An error that becomes an HTTP response with `error_content`; 429 and 503 have a retry-after header.

    `param` names the wrong parameter, `code` is for programs; only responses under /v1 have them.
    """

    def __init__(self, status: int, reason: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.param = param
        self.code = code

    @property
    def headers(self) -> dict[str, str]:
        if self.status in (429, 503):
            return {"retry-after": "1"}
        # The client is still sending; nothing else can come on this connection.
        return {"connection": "close"} if self.status in (408, 413) else {}


def error_content(
    path: str, status: int, reason: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The Open Inference Protocol's error, or OpenAI's for a path under /v1."""
    if not path.startswith("/v1/"):
        return {"error": reason}
    kind = OPENAI_KINDS.get(status, "invalid_request_error")
    return {"error": {"message": reason, "type": kind, "param": param, "code": code}}


def _response(request: Request, headers: Any, status: int, reason: str, **more: Any) -> Response:
    content = orjson.dumps(error_content(request.scope["path"], status, reason, **more))
    return Response(content, status, dict(headers or {}), "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _response(request, error.headers, error.status, error.reason, param=error.param, code=error.code)


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _response(request, error.headers, error.status_code, str(error.detail))


async def _failed(request: Request, error: Exception) -> Response:
    """A bug, or a row that the engine fails on; its traceback goes to the log."""
    reason = f"internal error ({type(error).__name__}); request {request.scope['context'].id}"
    return _response(request, None, 500, reason)


ERROR_HANDLERS = {RequestError: _refused, HTTPException: _not_routed, Exception: _failed}
"""The handler of each exception that a route raises."""
