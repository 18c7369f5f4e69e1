"""Texts to padded token ids, by Rust tokenizers alone: serving needs neither torch nor transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from components.errors import ArtifactError
from components.inference.sessions import Arrays
from components.runtime.word_cache import WordCache, word_cache
from components.tasks.task import Text

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
"""What an encoder gives a graph, and what the graph calls it."""


class TypedIds(list[int]):
    """The token ids of a row of two texts; `types`: of each, 0 where it is of the first text and 1 of the second."""

    __slots__ = ("types",)

    def __init__(self, ids: Sequence[int], types: Sequence[int]) -> None:
        super().__init__(ids)
        self.types = types


@dataclass(frozen=True)
class Encoder:
    """A tokenizer that cuts at `max_length` tokens, special ones included, and pads with `pad_id`.

    `words`: the faster way to the same ids, where there is one. `types`: whether the graph is told which of two texts a
    token is of.
    """

    tokenizer: Tokenizer
    max_length: int
    pad_id: int
    words: WordCache | None = None
    types: bool = False

    @classmethod
    def load(cls, path: Path, max_length: int, pad_id: int, types: bool = False) -> Encoder:
        """From a tokenizer.json. Raises ArtifactError when it cannot be read."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the Rust library raises plain Exception for everything
            raise ArtifactError(f"{path}: not a tokenizer: {error}", "run `dvc checkout` to restore it") from None
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        return cls(tokenizer, max_length, pad_id, word_cache(json.loads(tokenizer.to_str()), max_length), types)

    def encode(self, texts: Sequence[Text]) -> list[list[int]]:
        """Token ids of each row's text, or of both of its texts, unpadded."""
        if self.words and all(type(text) is str for text in texts):
            return self.words.encode(texts)  # type: ignore[arg-type]
        found = self.tokenizer.encode_batch_fast(list(texts))
        if self.types:
            return [TypedIds(encoding.ids, encoding.type_ids) for encoding in found]
        return [encoding.ids for encoding in found]

    def offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """The characters, from one up to before another, that each token of each text stands for: none of special
        tokens."""
        return [encoding.offsets for encoding in self.tokenizer.encode_batch(list(texts))]

    @cached_property
    def whole(self) -> Tokenizer:
        """The tokenizer, without its cut at `max_length`."""
        found = Tokenizer.from_str(self.tokenizer.to_str())
        found.no_truncation()
        return found

    def typed(self, ids: list[int], types: list[int]) -> list[int]:
        """Token ids as `encode` gives them."""
        return TypedIds(ids, types) if self.types else ids

    def pad(self, rows: Sequence[list[int]], length: int = 0) -> dict[str, np.ndarray]:
        """Rows of ids as a graph's inputs, int64 (rows, tokens): padded on the right to the longest of them, or to
        `length` if that is more, and the mask of what is no padding. Of ids alone, all types are 0."""
        width = max(length, *(len(row) for row in rows))
        ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        if not self.types:
            return {IDS: ids, MASK: mask}
        types = np.zeros((len(rows), width), dtype=np.int64)
        for number, row in enumerate(rows):
            if isinstance(row, TypedIds):
                types[number, : len(row)] = row.types
        return {IDS: ids, MASK: mask, TYPES: types}

    def batches(self, texts: Sequence[Text], size: int) -> Iterator[tuple[np.ndarray, Arrays]]:
        """Inputs of texts of like length together, which saves padding, with the position of each row."""
        return self.batched(self.encode(texts), size)

    def batched(self, encoded: Sequence[list[int]], size: int) -> Iterator[tuple[np.ndarray, Arrays]]:
        """The same of rows of token ids."""
        if len(encoded) <= size:
            yield np.arange(len(encoded)), self.pad(encoded)
            return
        order = np.argsort([len(row) for row in encoded], kind="stable")
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield chosen, self.pad([encoded[number] for number in chosen])


def reads_types(manifest: Mapping[str, Any]) -> bool:
    """Whether the graphs of an artifact take `token_type_ids` as well."""
    return manifest.get("token_types") is True
