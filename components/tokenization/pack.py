"""The stage `tokenize`: documents -> one stream of token ids a split, in memory-mapped shards.

Every document ends in [SEP], so that a window of the stream may hold the end of one and the beginning of another
without their running into each other. Two bytes a token while the vocabulary allows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from components.artifacts import read_manifest, staged, write_manifest
from components.params import TokenizeConfig
from components.run import Metrics, Run, progress

SPLITS = ("train", "validation")
BATCH = 512
Document = tuple[str, str]


class Shards:
    """Writes token ids to NAME-00000.bin, NAME-00001.bin, … of at most `shard_tokens` each."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], shard_tokens: int) -> None:
        self._folder, self._name, self._dtype, self._limit = folder, name, dtype, shard_tokens
        self.files: list[dict[str, Any]] = []

    @property
    def tokens(self) -> int:
        return sum(shard["tokens"] for shard in self.files)

    def add(self, ids: np.ndarray) -> None:
        """Append ids, beginning new shards where one is full."""
        while len(ids):
            if not self.files or self.files[-1]["tokens"] == self._limit:
                self.files.append({"file": f"{self._name}-{len(self.files):05d}.bin", "tokens": 0})
            shard = self.files[-1]
            part, ids = np.split(ids, [self._limit - shard["tokens"]])
            with (self._folder / shard["file"]).open("ab") as stream:
                stream.write(part.astype(self._dtype).tobytes())
            shard["tokens"] += len(part)


def tokenize(config: TokenizeConfig, corpus: Path, tokenizer: Path, tokens: Path, run: Run) -> Metrics:
    """Memory holds a batch of documents at a time; batches are encoded by all cores, order kept."""
    counts = read_manifest(corpus, "corpus")["counts"]["kept"]
    read_manifest(tokenizer, "tokenizer")
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    encoder.encode_special_tokens = True  # a document that says "[SEP]" means the five letters
    vocab_size = encoder.get_vocab_size()
    dtype = np.dtype("<u2" if vocab_size <= 2**16 else "<u4")
    splits: dict[str, dict[str, Any]] = {}
    languages: Counter[str] = Counter()
    with staged(tokens) as target, progress("tokenize", sum(counts.values()), "documents") as shown:
        for split in SPLITS:
            shards = Shards(target, split, dtype, config.shard_tokens)
            for batch in _batches(corpus / f"{split}.jsonl"):
                ids, by_language = _encode(encoder, batch)
                shards.add(ids)
                languages += by_language
                shown.advance(len(batch))
            splits[split] = {"documents": counts[split], "tokens": shards.tokens, "shards": shards.files}
        made_from = {"corpus": corpus, "tokenizer": tokenizer}
        write_manifest(target, "tokens", made_from, dtype=dtype.name, vocab_size=vocab_size, splits=splits)
    return {
        "tokens": {split: content["tokens"] for split, content in splits.items()},
        "languages": dict(sorted(languages.items())),
        "bytes_per_token": dtype.itemsize,
    }


def _batches(path: Path) -> Iterator[list[Document]]:
    """Lists of (language, text)."""
    with path.open(encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        while batch := [(row["language"], row["text"]) for row in islice(rows, BATCH)]:
            yield batch


def _encode(encoder: Tokenizer, batch: list[Document]) -> tuple[np.ndarray, Counter[str]]:
    """The batch's ids with [SEP] after each document, and how many of them each language has."""
    end: list[int] = [encoder.token_to_id("[SEP]")]  # type: ignore[list-item]
    encoded = encoder.encode_batch_fast([text for _, text in batch], add_special_tokens=False)
    languages: Counter[str] = Counter()
    ids: list[int] = []
    for (language, _), encoding in zip(batch, encoded, strict=True):
        languages[language] += len(encoding.ids) + 1
        ids += encoding.ids + end
    return np.asarray(ids, dtype=np.int64), languages
