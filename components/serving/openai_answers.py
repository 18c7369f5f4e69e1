"""Responses in OpenAI's form: whole, as events of a stream, embeddings, models."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired

import numpy as np
import orjson
from typing_extensions import TypedDict

from components.serving.schemas import Count

DONE = b"data: [DONE]\n\n"
Reason = Literal["stop", "length"]


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(TypedDict):
    error: ErrorDetail


class Usage(TypedDict):
    """What is embedded has no completion."""

    prompt_tokens: Count
    completion_tokens: NotRequired[Count]
    total_tokens: Count


class _Choice(TypedDict):
    index: Count
    logprobs: None


class _Generated(TypedDict):
    id: str
    created: Count
    model: str
    system_fingerprint: str


class CompletionChoice(_Choice):
    """The reason is null while a stream goes on."""

    text: str
    finish_reason: Reason | None


class Completion(_Generated):
    """An answer, or an event of a stream, of which the last one has the usage and no choices."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: NotRequired[Usage]


class ChatMessage(TypedDict):
    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(_Choice):
    message: ChatMessage
    finish_reason: Reason


class ChatCompletion(_Generated):
    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: Usage


class ChatDelta(TypedDict, total=False):
    role: Literal["assistant"]
    content: str


class ChatChunkChoice(_Choice):
    delta: ChatDelta
    finish_reason: Reason | None


class ChatCompletionChunk(_Generated):
    """An event of a stream, of which the last one has the usage and no choices."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]
    usage: NotRequired[Usage]


class EmbeddingData(TypedDict):
    """A string is the base64 of little-endian float32."""

    object: Literal["embedding"]
    index: Count
    embedding: str | list[float]


class Embeddings(TypedDict):
    object: Literal["list"]
    data: list[EmbeddingData]
    model: str
    usage: Usage


class ModelCard(TypedDict):
    id: str
    object: Literal["model"]
    created: Count
    owned_by: str


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelCard]


def usage(prompt: int, completion: int) -> Usage:
    """Tokens in, out, and together."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def event(content: dict[str, Any]) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"data: " + orjson.dumps(content) + b"\n\n"


@dataclass(frozen=True)
class CompletionForm:
    """The form of /v1/completions."""

    id: str
    model: str
    fingerprint: str
    created: int = field(default_factory=lambda: int(time.time()))
    prefix = "cmpl"
    whole_kind = part_kind = "text_completion"

    def whole(self, texts: Sequence[str], reasons: Sequence[str], counted: Usage) -> dict[str, Any]:
        """The response to a request without a stream; one choice for each row."""
        both = zip(texts, reasons, strict=True)
        choices = [self.choice(index, text, reason) for index, (text, reason) in enumerate(both)]
        return self._head(self.whole_kind) | {"choices": choices, "usage": counted}

    def part(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """An event with the new text of one row."""
        return self._head(self.part_kind) | {"choices": [self.fresh(index, text, reason)]}

    def counts(self, counted: Usage) -> dict[str, Any]:
        """The event with the token counts."""
        return self._head(self.part_kind) | {"choices": [], "usage": counted}

    def first(self, rows: int) -> list[dict[str, Any]]:
        """Events before any text."""
        return []

    def choice(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}

    def fresh(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return self.choice(index, text, reason)

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"{self.prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class ChatForm(CompletionForm):
    """The form of /v1/chat/completions."""

    prefix = "chatcmpl"
    whole_kind, part_kind = "chat.completion", "chat.completion.chunk"

    def first(self, rows: int) -> list[dict[str, Any]]:
        delta = {"role": "assistant", "content": ""}
        return [self._head(self.part_kind) | {"choices": [self._choice(index, delta, None)]} for index in range(rows)]

    def choice(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}

    def fresh(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return self._choice(index, {"content": text} if text else {}, reason)

    def _choice(self, index: int, delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def embeddings(model: str, vectors: np.ndarray, as_base64: bool, tokens: int) -> Embeddings:
    """`vectors` float32 (rows, width); base64 is of their little-endian bytes."""
    rows = vectors.astype("<f4", copy=False)
    written = [base64.b64encode(row.tobytes()).decode() for row in rows] if as_base64 else rows.tolist()
    data = [EmbeddingData(object="embedding", index=index, embedding=one) for index, one in enumerate(written)]
    counted = Usage(prompt_tokens=tokens, total_tokens=tokens)
    return Embeddings(object="list", data=data, model=model, usage=counted)


def model_card(name: str, created: int) -> ModelCard:
    """An entry of GET /v1/models."""
    return {"id": name, "object": "model", "created": created, "owned_by": "lianzi"}
