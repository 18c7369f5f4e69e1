"""Models whose every word is known beforehand, behind the interface of a bundle's runtime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.errors import DataError, EngineError
from components.runtime.generation.sampling import Sampling
from components.serving.batching import Batcher
from components.serving.continuous_batching import ContinuousBatcher
from components.serving.embedding import Embedding
from components.serving.generation import Generation
from components.serving.model_repository import LoadedModel
from components.serving.service import Service

UNLUCKY = 13
"""A token that breaks the engine."""


@dataclass(eq=False)
class ScriptedRow:
    ids: list[int]
    sampling: Sampling
    text: str = ""
    finished: str | None = None


@dataclass
class Bytes:
    """A tokenizer of 256 ids."""

    def get_vocab_size(self) -> int:
        return 256

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]


@dataclass
class ScriptedGenerator:
    """Repeats its prompt, a byte a step; `go` holds it back, `steps` are the prompts of each step's rows."""

    max_batch: int = 2
    max_length: int = 40
    name: str = "echo"
    chat_template: str | None = None
    chat_stops: tuple[str, ...] = ("\nuser:",)
    encoder: None = None
    tokenizer: Bytes = field(default_factory=Bytes)
    go: threading.Event = field(default_factory=threading.Event)
    steps: list[list[str]] = field(default_factory=list)

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def chat(self, messages: list[dict[str, str]]) -> list[int]:
        if messages[0]["role"] == "assistant":
            raise DataError("the model's chat template refuses these messages: the user speaks first")
        return self.encode(" ".join(message["content"] for message in messages))

    def start(self, ids: list[int], sampling: Sampling) -> ScriptedRow:
        return ScriptedRow(ids, sampling)

    def step(self, rows: Sequence[ScriptedRow]) -> list[int]:
        self.go.wait(10)
        if any(UNLUCKY in row.ids for row in rows):
            raise EngineError("thirteen")
        self.steps.append([bytes(row.ids).decode() for row in rows])
        return [self._grow(row) for row in rows]

    def _grow(self, row: ScriptedRow) -> int:
        token = row.ids[len(row.text) % len(row.ids)]
        row.text += chr(token)
        if row.text.endswith(row.sampling.stop or ("\0",)):
            row.finished = "stop"
        elif len(row.text) >= row.sampling.max_tokens:
            row.finished = "length"
        return token


@dataclass
class ScriptedEmbedder:
    """A vector of a row's first id and its length."""

    max_length: int = 8
    max_batch: int = 4
    width: int = 2
    words: None = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode())[: self.max_length] for text in texts]

    @property
    def encoder(self) -> ScriptedEmbedder:
        return self

    def pad(self, rows: Sequence[list[int]]) -> dict[str, Any]:
        return {"input_ids": rows}

    def infer(self, feeds: dict[str, Any]) -> np.ndarray:
        return np.array([[row[0], len(row)] for row in feeds["input_ids"]], dtype=np.float32)


def serve_scripted(service: Service, generator: ScriptedGenerator) -> list[LoadedModel]:
    """Let a service, whose event loop runs, answer as `echo` and `sizes`."""
    metrics, limits = service.metrics, service.limits
    continuous_batcher = ContinuousBatcher(
        generator,
        limits.max_queue,
        metrics.batches.labels("echo").observe,
        metrics.generated.labels("echo").inc,
    )
    embedding = Embedding(ScriptedEmbedder(), 256)  # type: ignore[arg-type]
    batcher = Batcher(embedding.infer, 8, 4, limits.max_queue, 0.0, lambda rows: None)
    served = [
        LoadedModel("echo", "1", "e" * 64, Generation(generator, 256), continuous_batcher),  # type: ignore[arg-type]
        LoadedModel("sizes", "2", "f" * 64, embedding, batcher),
    ]
    for one in served:
        service.repository.models[one.name] = one
    return served
