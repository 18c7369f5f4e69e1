"""An embedding bundle for the server: rows of token ids in, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.inference.sessions import Arrays
from components.serving.request_error import RequestError

if TYPE_CHECKING:
    from components.runtime.generation.embedder import Embedder

PLATFORM = "onnxruntime_onnx"
VECTOR = "embedding"


@dataclass(frozen=True)
class Embedding:
    """A loaded bundle."""

    embedder: Embedder
    vocabulary: int
    endpoints = ("/v1/embeddings",)

    @classmethod
    def load(cls, bundle: Path) -> Embedding:
        """Load the shipped graph and embed a word with it. Raises ArtifactError, EngineError."""
        from components.runtime.generation.embedder import load_embedder

        embedder = load_embedder(bundle)
        embedder.embed(["a"])
        return cls(embedder, embedder.encoder.tokenizer.get_vocab_size())

    @property
    def width(self) -> int:
        """The size of a vector."""
        return self.embedder.width

    @property
    def max_length(self) -> int:
        return self.embedder.max_length

    @property
    def max_batch(self) -> int:
        return self.embedder.max_batch

    def describe(self) -> dict[str, Any]:
        """The tensors for the protocol's model metadata; requests go to /v1."""
        inputs = [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
        outputs = [{"name": VECTOR, "datatype": "FP32", "shape": [-1, self.width]}]
        return {"platform": PLATFORM, "inputs": inputs, "outputs": outputs, "labels": []}

    def rows(self, given: Sequence[str | list[int]]) -> list[list[int]]:
        """Token ids of each input; long texts are cut, too many ids are refused. Raises RequestError."""
        rows = [self.embedder.encode([one])[0] if isinstance(one, str) else one for one in given]
        if not all(rows):
            raise RequestError(400, "'input' holds a text without a token", "input")
        longest = max(map(len, rows))
        if longest > self.max_length:
            reason = f"'input' is {longest} tokens, the model takes {self.max_length}"
            raise RequestError(400, reason, "input", "context_length_exceeded")
        largest = max(map(max, rows))
        if largest >= self.vocabulary:
            raise RequestError(400, f"'input' has the id {largest}, the last one is {self.vocabulary - 1}", "input")
        return rows

    def infer(self, rows: Sequence[list[int]]) -> Arrays:
        """VECTOR, float32 (rows, width)."""
        return {VECTOR: self.embedder.infer(self.embedder.encoder.pad(rows))}
