"""Exact duplicates, and texts that stand in a task's held-out rows, known by the fingerprint of the normalised text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from components.corpus.normalise import fingerprint


class Duplicates:
    """The texts seen so far, 16 bytes each; `held_out` are seen from the start, each with its reason."""

    def __init__(self, held_out: Mapping[bytes, str] | None = None) -> None:
        self._reasons = dict(held_out or {})

    def reason_to_reject(self, text: str) -> str | None:
        """Why this text may not stand here (`duplicate`, or the reason given for it), or None: now it is seen."""
        key = fingerprint(text)
        reason = self._reasons.get(key)
        if reason is None:
            self._reasons[key] = "duplicate"
        return reason


def held_out(texts: Iterable[str], split: str) -> dict[bytes, str]:
    """What `Duplicates` is to know of a task's validation or test texts."""
    return {fingerprint(text): f"in_task_{split}" for text in texts}


def falls_to_validation(text: str, fraction: float, seed: int) -> bool:
    """Whether a document is of the validation split: by its text and the seed alone, whatever stands around it."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8]) < fraction * 2**64
