"""Answers in OpenAI's form: whole, as events of a stream, embeddings, models."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

DONE = b"data: [DONE]\n\n"


def usage(prompt: int, completion: int) -> dict[str, int]:
    """Tokens in, out, and together."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def event(content: dict[str, Any]) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"data: " + orjson.dumps(content) + b"\n\n"


@dataclass(frozen=True)
class CompletionForm:
    """How /v1/completions writes what was generated."""

    id: str
    model: str
    fingerprint: str
    created: int = field(default_factory=lambda: int(time.time()))
    prefix = "cmpl"
    whole_kind = part_kind = "text_completion"

    def whole(self, texts: Sequence[str], reasons: Sequence[str], counted: dict[str, int]) -> dict[str, Any]:
        """The answer to a request without a stream; a choice a row."""
        both = zip(texts, reasons, strict=True)
        choices = [self.choice(index, text, reason) for index, (text, reason) in enumerate(both)]
        return self._head(self.whole_kind) | {"choices": choices, "usage": counted}

    def part(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """An event with what is new in one row."""
        return self._head(self.part_kind) | {"choices": [self.fresh(index, text, reason)]}

    def counts(self, counted: dict[str, int]) -> dict[str, Any]:
        """The event that counts the tokens."""
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
    """How /v1/chat/completions does."""

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


def embeddings(model: str, vectors: np.ndarray, as_base64: bool, tokens: int) -> dict[str, Any]:
    """`vectors` float32 (rows, width); base64 is of their little-endian bytes."""
    rows = vectors.astype("<f4", copy=False)
    written = [base64.b64encode(row.tobytes()).decode() for row in rows] if as_base64 else rows.tolist()
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(written)]
    counted = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": counted}


def model_card(name: str, created: int) -> dict[str, Any]:
    """An entry of GET /v1/models."""
    return {"id": name, "object": "model", "created": created, "owned_by": "lianzi"}
