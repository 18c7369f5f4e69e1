"""Lianzi (炼字): from raw text to a small, fast, deployed language model. This is what your own code imports.

    import lianzi
    lianzi.load_bundle("artifacts/form/bundle").predict(["床前明月光，疑是地上霜。"])[0].label

A bundle needs numpy, tokenizers and onnxruntime to answer: no torch, no transformers. They are imported when the first
bundle is loaded, so that importing this package costs nothing.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import LianziError

if TYPE_CHECKING:
    from components.runtime.bundle import Classifier
    from components.runtime.generation.embedder import Embedder
    from components.runtime.generation.generator import Generator, Sampling

__all__ = ["LianziError", "Sampling", "load_bundle", "load_embedder", "load_generator"]


def load_bundle(path: str | PathLike[str], rung: str | None = None, threads: int = 1) -> Classifier:
    """Load a task's model from the folder of a bundle: `predict(texts)` gives an answer a text.

    By the task an answer has `label`, `score` and `scores`, or `number`, or `entities`; each can be printed, and has
    `json()`.

    `rung`: another one than the bundle ships, or an engine. Raises LianziError for a bundle that is damaged or of
    another kind, or a rung that it lacks.
    """
    from components.runtime import bundle

    return bundle.load_bundle(Path(path), rung, threads)


def load_generator(path: str | PathLike[str], rung: str | None = None, threads: int = 1) -> Generator:
    """Load a language model from the folder of a bundle: `complete(texts, Sampling(...))`, `generate`, `chat`."""
    from components.runtime.generation import generator

    return generator.load_generator(Path(path), rung, threads)


def load_embedder(path: str | PathLike[str], rung: str | None = None, threads: int = 1) -> Embedder:
    """Load a sentence encoder from the folder of a bundle: `embed(texts)` gives float32 (texts, width)."""
    from components.runtime.generation import embedder

    return embedder.load_embedder(Path(path), rung, threads)


def __getattr__(name: str) -> Any:
    """`Sampling`, once it is asked for: its module imports numpy and onnxruntime."""
    if name == "Sampling":
        from components.runtime.generation.generator import Sampling

        return Sampling
    raise AttributeError(f"module 'lianzi' has no attribute '{name}'")
