"""Documents -> token ids, by the fastest encoder with the same ids as the tokenizer.

gigatoken (Rust, caches whole words) encodes byte-level BPE; Hugging Face tokenizers encodes everything else, and
everything where gigatoken is not installed. Both give the same ids, so the choice never affects a result.
"""

from __future__ import annotations

import json
import math
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from components.errors import ArtifactError
from components.tokenization.plain_byte_bpe import RENEWED_AFTER, is_plain_byte_bpe
from components.tokenization.special_tokens import token_of_role

SEPARATOR = "\ufdd0\ufdd1"
"""Marks the end of a document while gigatoken encodes many at once: code points that are no characters."""
Encoded = tuple[np.ndarray, np.ndarray]
"""Ids of all documents in a row, uint32, each ended by the end token; how many of them each document has, int64."""


class Encoder(Protocol):
    """The interface of `open_encoder`'s result; `end` is the id that ends a document, `size` is above every id."""

    end: int
    size: int

    def encode(self, texts: pa.Array) -> Encoded:
        """Encode a string array. Names of special tokens in a text are plain text; null is an empty document."""
        ...


def open_encoder(folder: Path) -> Encoder:
    """The encoder of a tokenizer's folder. Raises ArtifactError when it cannot be read."""
    try:
        content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        plain = HuggingFaceEncoder(Tokenizer.from_str(json.dumps(content)), token_of_role(folder, "sep_token"))
    except Exception as error:  # the Rust library raises plain Exception for everything
        raise ArtifactError(f"{folder}: not a tokenizer: {error}", "run `dvc checkout` to restore it") from None
    if find_spec("gigatoken") and is_plain_byte_bpe(content):
        return GigatokenEncoder(content, plain)
    return plain


class HuggingFaceEncoder:
    """Any tokenizer.json."""

    def __init__(self, tokenizer: Tokenizer, end: str) -> None:
        tokenizer.encode_special_tokens = True  # a document that says "[SEP]" means the five letters
        tokenizer.no_padding()
        tokenizer.no_truncation()
        found = tokenizer.token_to_id(end)
        if found is None:
            raise ValueError(f"no token {end}")
        self.tokenizer, self.end = tokenizer, int(found)
        self.size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, texts: pa.Array) -> Encoded:
        given = [text or "" for text in texts.to_pylist()]
        encoded = self.tokenizer.encode_batch_fast(given, add_special_tokens=False)
        ids = [part for encoding in encoded for part in (encoding.ids, [self.end])]
        lengths = np.fromiter((len(part) + 1 for part in ids[::2]), np.int64, len(encoded))
        flat = np.fromiter((token for part in ids for token in part), np.uint32, int(lengths.sum()))
        return flat, lengths


class GigatokenEncoder:
    """Byte-level BPE. Documents are joined by a special token with the end token's id: one call encodes and packs.

    Every thread has a gigatoken of its own, for one of them encodes one text at a time.
    """

    def __init__(self, content: dict[str, Any], plain: HuggingFaceEncoder) -> None:
        self.end, self.size, self._plain = plain.end, plain.size, plain
        self._content = json.dumps(_with_separator(content, plain.end))
        self._separator = SEPARATOR.encode()
        self._thread = threading.local()

    def encode(self, texts: pa.Array) -> Encoded:
        joined = SEPARATOR.join([*(text or "" for text in texts.to_pylist()), ""]).encode()
        if joined.count(self._separator) != len(texts):
            return self._plain.encode(texts)
        ids = self._ids(joined)
        ends = np.flatnonzero(ids == self.end) + 1
        if len(ends) != len(texts):
            return self._plain.encode(texts)
        return ids, np.diff(ends, prepend=0)

    def _ids(self, text: bytes) -> np.ndarray:
        """As gigatoken's `encode`, which would keep the other threads of Python waiting."""
        import gigatoken

        own = self._thread
        if getattr(own, "encoded", math.inf) > RENEWED_AFTER:
            own.fast = None  # before the next one takes memory of its own
            own.encoded, own.fast = 0, gigatoken.Tokenizer.from_json(self._content)
        own.encoded += len(text)
        matrix, _ = own.fast.encode_batch_padded(gigatoken.BytesSource(text), pad_id=self.end, parallel=False)
        ids: np.ndarray = matrix.ravel()
        return ids


def arrow_numbers(values: np.ndarray) -> pa.Array:
    """int64 values as an Arrow array. `pa.array` would import pandas first, which takes longer than the encoding."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values.astype(np.int64))])


def _with_separator(content: dict[str, Any], end: int) -> dict[str, Any]:
    """The tokenizer with SEPARATOR as its only special token, under the id `end`."""
    model = dict(content["model"])
    model["vocab"] = {SEPARATOR if index == end else token: index for token, index in model["vocab"].items()}
    model["vocab"][SEPARATOR] = end
    token = {"id": end, "content": SEPARATOR, "special": True, "normalized": False}
    token |= dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    return {**content, "model": model, "added_tokens": [token], "post_processor": None}
