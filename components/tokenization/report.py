"""The effect of a tokenizer on the corpus: compression, unused entries, texts that do not round-trip.

Counted over at most SAMPLE characters of each split, an equal share from the beginning of every shard.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from components.corpus.documents import read_shard, shard_paths
from components.run import Metrics
from components.tokenization.byte_bpe import byte_letters
from components.tokenization.encoders import open_encoder

SAMPLE = 20_000_000
ROUND_TRIPS = 2_000
"""The number of validation documents that are encoded and decoded again."""
EXAMPLE_CHARACTERS = 120
EXAMPLES = 3
"""Examples for each language."""
SHOWN = 40
"""The length of a list on the page."""

Piece = tuple[str, str]
"""A token as the vocabulary spells it, and its characters; "" for a later part of one character."""


@dataclass(frozen=True)
class Findings:
    """The result of `examine`. `characters`, `tokens`: by language, in the validation split, without end tokens."""

    size: int
    characters: dict[str, int]
    tokens: dict[str, int]
    unused: list[str]
    unreachable: list[str]
    longest: list[str]
    round_trips: int
    failures: list[tuple[str, str]]
    examples: list[tuple[str, list[Piece]]]

    def metrics(self) -> Metrics:
        """The headline numbers."""
        spoken = [language for language in sorted(self.tokens) if self.tokens[language] and self.characters[language]]
        return {
            "vocab_size": self.size,
            "characters_per_token": {name: round(self.characters[name] / self.tokens[name], 4) for name in spoken},
            "tokens_per_character": {name: round(self.tokens[name] / self.characters[name], 4) for name in spoken},
            "unused_tokens": len(self.unused),
            "unreachable_tokens": len(self.unreachable),
            "round_trip_failures": len(self.failures),
        }


def examine(folder: Path, corpus: Path) -> Findings:
    """Examine the tokenizer in `folder`, which may lack its manifest."""
    encoder = open_encoder(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    characters, tokens = Counter[str](), Counter[str]()
    uses = np.zeros(encoder.size, dtype=np.int64)
    for batch in _sample(corpus, "validation"):
        ids, lengths = encoder.encode(batch.column("text"))
        uses += np.bincount(ids, minlength=encoder.size)
        characters.update(_by_language(batch, pc.utf8_length(batch.column("text")).to_numpy(zero_copy_only=False)))
        tokens.update(_by_language(batch, lengths - 1))
    for batch in _sample(corpus, "train"):
        uses += np.bincount(encoder.encode(batch.column("text"))[0], minlength=encoder.size)
    entries = _plain_entries(tokenizer)
    compared, failures = _round_trips(tokenizer, corpus)
    spelt = {index: _spelt(tokenizer, index, token) for index, token in entries.items()}
    return Findings(
        size=encoder.size,
        characters=dict(sorted(characters.items())),
        tokens=dict(sorted(tokens.items())),
        unused=[spelt[index] for index in entries if not uses[index]],
        unreachable=[spelt[index] for index in _unreachable(tokenizer, entries)],
        longest=[spelt[index] for index in sorted(spelt, key=lambda index: (-len(spelt[index]), index))[:SHOWN]],
        round_trips=compared,
        failures=failures,
        examples=_examples(tokenizer, corpus),
    )


def _sample(corpus: Path, split: str) -> Iterator[pa.RecordBatch]:
    shards = shard_paths(corpus, split)
    for path in shards:
        left = SAMPLE // len(shards)
        for batch in read_shard(path, ["id", "text", "language"]):
            if left <= 0:
                break
            left -= pc.sum(pc.utf8_length(batch.column("text"))).as_py() or 0
            yield batch


def _by_language(batch: pa.RecordBatch, amounts: np.ndarray) -> dict[str, int]:
    encoded = batch.column("language").dictionary_encode("encode")
    sums = np.bincount(encoded.indices.to_numpy(), weights=amounts)
    return {str(name): int(count) for name, count in zip(encoded.dictionary.to_pylist(), sums, strict=True)}


def _plain_entries(tokenizer: Tokenizer) -> dict[int, str]:
    """The vocabulary by id, without added tokens: special tokens do not occur in texts."""
    added = tokenizer.get_added_tokens_decoder()
    entries = {index: token for token, index in tokenizer.get_vocab().items() if index not in added}
    return dict(sorted(entries.items()))


def _spelt(tokenizer: Tokenizer, index: int, token: str) -> str:
    """The text of a token; its bytes where it is a part of a character."""
    text: str = tokenizer.decode([index])
    if "\ufffd" not in text and text:
        return text
    numbers = {letter: byte for byte, letter in enumerate(byte_letters())}
    return "".join(f"<{numbers[letter]:02X}>" if letter in numbers else letter for letter in token)


def _unreachable(tokenizer: Tokenizer, entries: dict[int, str]) -> list[int]:
    """Entries whose own spelling is encoded as other tokens: no text gives them (Land & Bartolo 2024, Magikarp)."""
    model = _model_alone(tokenizer)
    prefix = json.loads(tokenizer.to_str())["model"].get("continuing_subword_prefix") or ""
    found = []
    for (index, token), encoding in zip(entries.items(), model.encode_batch_fast(list(entries.values())), strict=True):
        if prefix and token.startswith(prefix) and token != prefix:
            continue  # stands inside a word only, after whatever comes before it there
        if encoding.ids != [index]:
            found.append(index)
    return found


def _model_alone(tokenizer: Tokenizer) -> Tokenizer:
    """It takes what it is given for one word in the vocabulary's own letters."""
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    content |= {"added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(content))


def _round_trips(tokenizer: Tokenizer, corpus: Path) -> tuple[int, list[tuple[str, str]]]:
    """The number of documents that were encoded and decoded, and those that changed: (id, the first difference)."""
    compared, failures = 0, []
    for path in shard_paths(corpus, "validation"):
        for batch in read_shard(path, ["id", "text"], rows=256):
            texts = [text or "" for text in batch.column("text").to_pylist()]
            encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            decoded = tokenizer.decode_batch([encoding.ids for encoding in encoded], skip_special_tokens=False)
            for name, text, back in zip(batch.column("id").to_pylist(), texts, decoded, strict=True):
                if text != back:
                    failures.append((str(name), _parting(text, back)))
            compared += len(texts)
            if compared >= ROUND_TRIPS:
                return compared, failures
    return compared, failures


def _parting(text: str, back: str) -> str:
    """Both sides of the first difference of two texts."""
    pairs = zip(text, back, strict=False)
    place = next((index for index, (left, right) in enumerate(pairs) if left != right), min(len(text), len(back)))
    return f"{text[max(0, place - 8) : place + 8]!r} became {back[max(0, place - 8) : place + 8]!r}"


def _examples(tokenizer: Tokenizer, corpus: Path) -> list[tuple[str, list[Piece]]]:
    """The beginnings of the first validation documents of each language, tokenized."""
    found: dict[str, list[list[Piece]]] = {}
    for path in shard_paths(corpus, "validation"):
        for batch in islice(read_shard(path, ["text", "language"], rows=256), 1):
            for row in batch.to_pylist():
                shown = found.setdefault(str(row["language"]), [])
                if len(shown) < EXAMPLES:
                    shown.append(split_text(tokenizer, str(row["text"])[:EXAMPLE_CHARACTERS]))
    return [(language, pieces) for language in sorted(found) for pieces in found[language]]


def split_text(tokenizer: Tokenizer, text: str) -> list[Piece]:
    """A text's tokens with the characters of each."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    pieces: list[Piece] = []
    reached = 0
    for token, (begin, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        pieces.append((token, text[max(begin, reached) : end]))
        reached = max(reached, end)
    return pieces
