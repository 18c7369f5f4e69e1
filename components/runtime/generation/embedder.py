"""Texts as vectors by a bundle. Needs numpy, tokenizers and onnxruntime: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import ArtifactError, DataError
from components.inference.sessions import Arrays
from components.runtime.bundle import check_texts
from components.runtime.encoding import IDS, MASK, Encoder
from components.runtime.generation.graphs import Graph
from components.runtime.manifest import EMBEDDING, TOKENIZER, bundle_of, shipped_rung
from components.runtime.prediction import infer_texts


@dataclass(frozen=True)
class Embedder:
    """A loaded bundle of an encoder; a text is cut at `max_length` tokens. `prompt` stands in front of every text,
    where the model was trained so; `prompts` are those that a caller may put there, by name."""

    name: str
    rung: str
    width: int
    max_batch: int
    encoder: Encoder
    graph: Graph
    prompt: str
    prompts: dict[str, str]

    @property
    def max_length(self) -> int:
        return self.encoder.max_length

    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> list[list[int]]:
        """Token ids of each text, cut."""
        return self.encoder.encode(self._prompted(texts, prompt_name))

    def embed(self, texts: Sequence[str], prompt_name: str | None = None) -> np.ndarray:
        """Float32 (texts, width): of length 1 where the model's own library makes them so. `prompt_name`: one of
        `prompts` in front of each text. Raises DataError for what is not text, or no such name."""
        checked = self._prompted(texts, prompt_name)
        if not checked:
            return np.empty((0, self.width), dtype=np.float32)
        return infer_texts(self.graph.run, self.encoder, checked, self.max_batch)[self.graph.outputs[0]]

    def _prompted(self, texts: Sequence[str], name: str | None) -> list[str]:
        if name is not None and name not in self.prompts:
            known = ", ".join(self.prompts)
            raise DataError(f"no prompt {name!r:.60}", f"known: {known}" if known else f"{self.name} has none")
        prompt = self.prompt if name is None else self.prompts[name]
        return [f"{prompt}{text}" for text in check_texts(texts)]

    def infer(self, feeds: Arrays) -> np.ndarray:
        """The same of padded ids and their mask."""
        return self.graph.run(feeds)[self.graph.outputs[0]]


def load_embedder(bundle: Path, rung: str | None = None, threads: int = 1) -> Embedder:
    """Load a bundle's shipped rung, or the one named, after checking every file's hash.

    Raises ArtifactError where it is no bundle of an encoder or has no such rung, EngineError.
    """
    manifest = bundle_of(bundle, EMBEDDING, rung)
    return open_embedder(bundle, manifest, rung or shipped_rung(bundle, manifest), threads)


def open_embedder(bundle: Path, manifest: dict[str, Any], rung: str, threads: int) -> Embedder:
    """The same of a folder that is known to be whole."""
    encoder = Encoder.load(bundle / TOKENIZER, manifest["max_length"], manifest["pad_id"])
    if manifest["split_special_tokens"]:
        encoder.tokenizer.encode_special_tokens = True
        encoder = replace(encoder, words=None)  # which takes the names of special tokens for these
    graph = Graph.load(bundle / manifest["rungs"][rung]["encoder"], threads)
    return Embedder(
        name=manifest["name"],
        rung=rung,
        width=_width(bundle, graph),
        max_batch=manifest["max_batch"],
        encoder=encoder,
        graph=graph,
        prompt=manifest.get("prompt", ""),
        prompts=manifest.get("prompts", {}),
    )


def _width(bundle: Path, graph: Graph) -> int:
    """Numbers of a vector. Raises ArtifactError where the graph is not one that makes vectors."""
    axes = graph.session.outputs[0].axes
    if not {*graph.inputs} <= {IDS, MASK} or len(axes) != 2 or not isinstance(axes[1], int):
        raise ArtifactError(f"{bundle}: the graph 'encoder' makes no vectors", "lianzi bundle MODEL BUNDLE makes one")
    return axes[1]
