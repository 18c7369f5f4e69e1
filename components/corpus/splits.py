"""Which split of the corpus a document is of."""

from __future__ import annotations

import hashlib


def falls_to_validation(text: str, fraction: float, seed: int) -> bool:
    """Whether a document is of the validation split: by its text and the seed alone, whatever stands around it."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8]) < fraction * 2**64
