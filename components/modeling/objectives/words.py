"""Which tokens make up a word: of English by its letters, of Chinese by a segmenter (Cui 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"([{HAN}]+)|[^\W{HAN}]+|[^\w\s]", re.UNICODE)
"""A run of Han characters, of other letters and digits, or one sign."""
BYTES = re.compile(r"<0x([0-9A-F]{2})>")
"""A byte in vocabularies that fall back to bytes."""


@dataclass(frozen=True)
class WordFinder:
    """`pieces`: what each token of a vocabulary adds to a text, in UTF-8; a token may hold part of a character."""

    pieces: tuple[bytes, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> WordFinder:
        """Of byte-level BPE, of pieces that continue by ##, or of those whose spaces are ▁."""
        special = {*tokenizer.all_special_ids}
        tokens = [str(token) for token in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
        continued, spaced = (any(token.startswith(mark) for token in tokens) for mark in ("##", "▁"))

        def piece(number: int, token: str) -> bytes:
            if number in special:
                return b"\n"
            if continued:
                return token[2:].encode() if token.startswith("##") else f" {token}".encode()
            if spaced:
                byte = BYTES.fullmatch(token)
                return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()
            return bytes(LETTERS.get(letter, ord("?")) for letter in token)

        return cls(tuple(piece(number, token) for number, token in enumerate(tokens)))

    def first_tokens(self, ids: Tensor) -> Tensor:
        """The place of the first token of each token's word, both by [n, length] windows of ids.

        A token belongs to the word that its last byte stands in; what stands in none is a word by itself.
        """
        return torch.stack([torch.from_numpy(self._first_tokens(row)) for row in ids.tolist()])

    def _first_tokens(self, row: list[int]) -> np.ndarray:
        pieces = [self.pieces[token] for token in row]
        ends = np.cumsum([len(piece) for piece in pieces])
        text = b"".join(pieces).decode("utf-8", errors="surrogateescape")
        places = np.arange(len(row))
        bounds = np.array([*words_of(text)], dtype=np.int64).reshape(-1, 2)
        if not len(bounds):
            return places
        word = np.searchsorted(bounds[:, 0], ends - 1, side="right") - 1
        inside = (word >= 0) & (ends <= bounds[word, 1])
        _, first, of = np.unique(np.where(inside, word, -1 - places), return_index=True, return_inverse=True)
        return first[of]


def words_of(text: str) -> Iterator[tuple[int, int]]:
    """The first byte of each word of a text, and the one behind its last."""
    place, byte = 0, 0
    for found in WORD.finditer(text):
        byte += _size(text[place : found.start()])
        for word in _segmented(found[0]) if found[1] else [found[0]]:
            yield byte, byte + _size(word)
            byte += _size(word)
        place = found.end()


def _segmented(text: str) -> list[str]:
    """Chinese words by jieba's dictionary and model. Imported late: most masking does without."""
    import rjieba

    words: list[str] = rjieba.cut(text)
    return words


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="surrogateescape"))


def _letters() -> dict[str, int]:
    """Byte-level BPE's letter of each byte, the other way round (Radford 2019)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


LETTERS = _letters()
