"""What every export by torch.onnx shares: the versions it is made with, how large a graph may be, and quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

PROTOBUF_LIMIT = 2**31
"""Bytes one protobuf message, so one ONNX file, may have."""


def tools() -> dict[str, str]:
    """Versions of what made a graph; PyTorch's without its build, which does not change the graph."""
    return {name: version(name).partition("+")[0] for name in ("onnx", "onnxscript", "torch", "transformers")}


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a library's warnings about what it does not need off the console."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
