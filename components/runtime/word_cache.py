"""Texts to token ids at the pace of a look-up: gigatoken remembers the ids of every word that it has met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from components.tokenization.plain_byte_bpe import RENEWED_AFTER, is_plain_byte_bpe


class WordCache:
    """A byte-level BPE tokenizer whose template is special tokens, the text, special tokens.

    The ids are those of Hugging Face tokenizers, which takes some thirty times longer over a text of known words.
    """

    def __init__(self, content: dict[str, Any], max_length: int) -> None:
        before, after = _template(content)
        self._before, self._after = before, after
        self._room = max_length - len(before) - len(after)
        self._content, self._bytes = json.dumps(content), 0
        self._fast = self._new()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut to the room that the special tokens leave."""
        return [[*self._before, *self._ids(text).tolist(), *self._after] for text in texts]

    def _ids(self, text: str) -> np.ndarray:
        written = text.encode()
        self._bytes += len(written)
        if self._bytes > RENEWED_AFTER:
            self._bytes, self._fast = len(written), self._new()
        found: np.ndarray = self._fast.encode(written)
        return found[: self._room]

    def _new(self) -> Any:
        import gigatoken

        return gigatoken.Tokenizer.from_json(self._content)


def word_cache(content: dict[str, Any], max_length: int) -> WordCache | None:
    """For a tokenizer.json of the form that gigatoken is known to encode alike, where it is installed; else None."""
    fits = is_plain_byte_bpe(content) and find_spec("gigatoken") and (content["post_processor"] or {}).get("type")
    if fits != "TemplateProcessing" or sum(map(len, _template(content))) >= max_length:
        return None
    return WordCache(content, max_length)


def _template(content: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Ids of the special tokens that stand before and after a single text."""
    post = content["post_processor"]
    sides: tuple[list[int], list[int]] = ([], [])
    at = 0
    for part in post["single"]:
        if "Sequence" in part:
            at = 1
        else:
            sides[at].extend(post["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    return sides
