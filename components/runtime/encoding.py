"""Texts to padded token ids, by Rust tokenizers alone: serving needs neither torch nor transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from components.errors import ArtifactError
from components.inference.sessions import Arrays
from components.runtime.word_cache import WordCache, word_cache

IDS, MASK = "input_ids", "attention_mask"
"""What an encoder gives a graph, and what the graph calls it."""


@dataclass(frozen=True)
class Encoder:
    """A tokenizer that cuts at `max_length` tokens, special ones included, and pads with `pad_id`.

    `words`: the faster way to the same ids, where there is one.
    """

    tokenizer: Tokenizer
    max_length: int
    pad_id: int
    words: WordCache | None = None

    @classmethod
    def load(cls, path: Path, max_length: int, pad_id: int) -> Encoder:
        """From a tokenizer.json. Raises ArtifactError when it cannot be read."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the Rust library raises plain Exception for everything
            raise ArtifactError(f"{path}: not a tokenizer: {error}", "run `dvc checkout` to restore it") from None
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        return cls(tokenizer, max_length, pad_id, word_cache(json.loads(tokenizer.to_str()), max_length))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, unpadded."""
        if self.words:
            return self.words.encode(texts)
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts))]

    def offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """The characters, from one up to before another, that each token of each text stands for: none of special
        tokens."""
        return [encoding.offsets for encoding in self.tokenizer.encode_batch(list(texts))]

    def pad(self, rows: Sequence[list[int]], length: int = 0) -> dict[str, np.ndarray]:
        """Rows of ids as a graph's inputs, int64 (rows, tokens): padded on the right to the longest of them, or to
        `length` if that is more, and the mask of what is no padding."""
        width = max(length, *(len(row) for row in rows))
        ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return {IDS: ids, MASK: mask}

    def batches(self, texts: Sequence[str], size: int) -> Iterator[tuple[np.ndarray, Arrays]]:
        """Inputs of texts of like length together, which saves padding, with the position of each row."""
        encoded = self.encode(texts)
        if len(encoded) <= size:
            yield np.arange(len(encoded)), self.pad(encoded)
            return
        order = np.argsort([len(row) for row in encoded], kind="stable")
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield chosen, self.pad([encoded[number] for number in chosen])
