"""One shard of documents -> its token shards, encoded or from the cache.

The tokens of a shard depend only on its bytes, the tokenizer's, the weights of its sources and `shard_tokens`: a digest
of these is their key, and they are never encoded twice.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.artifacts import file_hash
from components.corpus.documents import read_shard
from components.tokenization import cache
from components.tokenization.encoders import Encoder, arrow_numbers, open_encoder

VERSION = 1
"""The version of the content of token shards: a new one invalidates every cached shard."""
DOCUMENTS = "documents.parquet"
LINEAGE = pa.schema(
    {"begin": pa.int64(), "end": pa.int64(), "id": pa.string(), "file": pa.string(), "line": pa.int64()}
)
"""begin, end: the span of the document in the tokens of its shard, counted through all parts."""
PART = 1 << 20
"""Bytes of text that are encoded at once."""
COLUMNS = ["id", "text", "source", "language", "file", "line"]


@dataclass(frozen=True)
class Job:
    """A shard to encode. `tokenizer_hash`: of its tokenizer.json; `weights`: by source, 1 for those not named."""

    shard: Path
    tokenizer: Path
    tokenizer_hash: str
    weights: Mapping[str, float]
    shard_tokens: int
    cache: Path


class Shards:
    """Writes token ids to NAME00000.bin, NAME00001.bin, … of at most `shard_tokens` each."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], shard_tokens: int) -> None:
        self._folder, self._name, self._dtype, self._limit = folder, name, dtype, shard_tokens
        self.files: list[dict[str, Any]] = []

    @property
    def tokens(self) -> int:
        return sum(shard["tokens"] for shard in self.files)

    def add(self, ids: np.ndarray) -> None:
        """Append ids; a full file is followed by a new one."""
        while len(ids):
            if not self.files or self.files[-1]["tokens"] == self._limit:
                self.files.append({"file": f"{self._name}{len(self.files):05d}.bin", "tokens": 0})
            shard = self.files[-1]
            part, ids = np.split(ids, [self._limit - shard["tokens"]])
            with (self._folder / shard["file"]).open("ab") as stream:
                stream.write(part.astype(self._dtype).tobytes())
            shard["tokens"] += len(part)


def token_type(size: int) -> np.dtype[Any]:
    """Two bytes for each token while the vocabulary allows it."""
    return np.dtype("<u2" if size <= 2**16 else "<u4")


def make_tokens(job: Job) -> tuple[str, dict[str, Any]]:
    """The key of a shard's tokens and their counts; the cache holds them afterwards.

    Counts: `parts`, the tokens of each .bin file; `read` and `documents`, rows before and after weighting; `sources`
    and `languages`, tokens by name.
    """
    weights = {source: job.weights.get(source, 1.0) for source in _sources(job.shard)}
    key = _key(job, {source: weight for source, weight in weights.items() if weight != 1})
    counts = cache.find(job.cache, key)
    if counts is not None:
        return key, counts
    encoder = loaded_encoder(job.tokenizer, job.tokenizer_hash)
    with cache.new_entry(job.cache, key) as (folder, counts):
        counts |= _write(job, weights, encoder, folder)
    return key, counts


def times_met(document: str, weight: float) -> int:
    """The number of copies of a document under a weight: 2.5 gives two, and a third by a hash of its id."""
    share = weight % 1
    if not share:
        return int(weight)
    drawn = int.from_bytes(hashlib.blake2b(document.encode(), digest_size=8).digest(), "big") / 2**64
    return math.floor(weight) + (drawn < share)


def _write(job: Job, weights: Mapping[str, float], encoder: Encoder, folder: Path) -> dict[str, Any]:
    tokens = Shards(folder, "", token_type(encoder.size), job.shard_tokens)
    sums: dict[str, Counter[str]] = {"sources": Counter(), "languages": Counter()}
    position = documents = 0
    with pq.ParquetWriter(folder / DOCUMENTS, LINEAGE, compression="zstd") as lineage:
        for batch in _weighted(job.shard, weights):
            counted = []
            for texts in _parts(batch.column("text")):
                ids, lengths = encoder.encode(texts)
                tokens.add(ids)
                counted.append(lengths)
            lengths = np.concatenate(counted)
            lineage.write_batch(_lineage(batch, lengths, position))
            for name, column in (("sources", "source"), ("languages", "language")):
                sums[name].update(_sums(batch.column(column), lengths))
            position, documents = position + int(lengths.sum()), documents + len(batch)
    read = pq.read_metadata(job.shard).num_rows
    found = {name: dict(sorted(counter.items())) for name, counter in sums.items()}
    return {"parts": [part["tokens"] for part in tokens.files], "read": read, "documents": documents, **found}


def _parts(texts: pa.Array) -> Iterator[pa.Array]:
    """Slices of some PART bytes each: encoding holds a text several times over, as text, bytes and ids."""
    rows = max(1, len(texts) * PART // texts.nbytes)
    for start in range(0, len(texts), rows):
        yield texts.slice(start, rows)


def _weighted(shard: Path, weights: Mapping[str, float]) -> Iterator[pa.RecordBatch]:
    """The shard once for each copy of its heaviest source, each time with the documents that still need a copy."""
    for number in range(math.ceil(max(weights.values(), default=0))):
        for batch in read_shard(shard, COLUMNS):
            due = _due(batch, weights, number)
            chosen = batch if due is None else batch.take(arrow_numbers(np.array(due, dtype=np.int64)))
            if len(chosen):
                yield chosen


def _due(batch: pa.RecordBatch, weights: Mapping[str, float], number: int) -> list[int] | None:
    """The rows with more than `number` copies; None for all."""
    if all(weight == 1 for weight in weights.values()):
        return None
    rows = enumerate(zip(batch.column("id").to_pylist(), batch.column("source").to_pylist(), strict=True))
    return [row for row, (name, source) in rows if times_met(str(name), weights[str(source)]) > number]


def _lineage(batch: pa.RecordBatch, lengths: np.ndarray, position: int) -> pa.RecordBatch:
    ends = position + np.cumsum(lengths)
    places = [arrow_numbers(ends - lengths), arrow_numbers(ends)]
    return pa.record_batch([*places, *(batch.column(name) for name in ("id", "file", "line"))], schema=LINEAGE)


def _sums(names: pa.Array, lengths: np.ndarray) -> dict[str, int]:
    """Tokens by the value of a column."""
    encoded = names.dictionary_encode("encode")
    sums = np.bincount(np.from_dlpack(encoded.indices), weights=lengths).astype(np.int64)
    return {str(name): int(count) for name, count in zip(encoded.dictionary.to_pylist(), sums, strict=True)}


def _sources(shard: Path) -> list[str]:
    found: set[str] = set()
    for batch in read_shard(shard, ["source"]):
        found.update(map(str, batch.column("source").unique().to_pylist()))
    return sorted(found)


def _key(job: Job, weights: Mapping[str, float]) -> str:
    content = {
        "version": VERSION,
        "documents": file_hash(job.shard),
        "tokenizer": job.tokenizer_hash,
        "weights": weights,
        "shard_tokens": job.shard_tokens,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def loaded_encoder(tokenizer: Path, tokenizer_hash: str) -> Encoder:
    """The encoder of a tokenizer, loaded once a process."""
    return open_encoder(tokenizer)
