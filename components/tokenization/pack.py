"""The stage `tokenize`: documents -> one stream of token ids a split, in memory-mapped shards.

tokens/SPLIT/SHARD-00000.bin, SHARD-00001.bin, … and SHARD.documents.parquet for each SHARD.parquet of the corpus.
Every document ends in the tokenizer's sep_token, so that a window of the stream may hold the end of one and the
beginning of another without their running into each other.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.artifacts import file_hash, of_kind, read_manifest, write_manifest
from components.corpus.config import SourceConfig
from components.corpus.documents import SPLITS, shard_paths
from components.engine import open_engine, worker_count
from components.errors import ParameterError
from components.run import Metrics, Progress, Run, progress
from components.staging import staged
from components.tokenization import cache
from components.tokenization.config import TokenizeConfig
from components.tokenization.shards import DOCUMENTS, Job, loaded_encoder, make_tokens, token_type

WORTH_WORKERS = 1 << 25
"""Below so many bytes of parquet, this process finishes before another has started."""


def tokenize(
    config: TokenizeConfig, sources: dict[str, SourceConfig], corpus: Path, tokenizer: Path, tokens: Path, run: Run
) -> Metrics:
    """Encode and pack the corpus; each worker holds a few batches of documents in memory.

    An unchanged shard is linked from the cache. Raises ParameterError when the weights leave no document to train on.
    """
    counts = read_manifest(corpus, "corpus")["counts"]["kept"]
    read_manifest(tokenizer, "tokenizer")
    size = loaded_encoder(tokenizer.absolute(), file_hash(tokenizer / "tokenizer.json")).size
    jobs = {split: _jobs(config, sources, corpus, tokenizer, split) for split in SPLITS}
    splits: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    sums = {name: Counter[str]() for name in ("languages", "sources")}
    with staged(tokens, of_kind("tokens")) as target, progress("tokenize", sum(counts.values()), "documents") as shown:
        made = _made([job for split in SPLITS for job in jobs[split]])
        for split in SPLITS:
            splits[split] = _fill(target, split, jobs[split], made, used, sums, shown)
        if not splits["train"]["tokens"]:
            raise ParameterError("params.yaml: corpus: no document is left to train on", "give a source more weight")
        made_from = {"corpus": corpus, "tokenizer": tokenizer}
        write_manifest(target, "tokens", made_from, dtype=token_type(size).name, vocab_size=size, splits=splits)
    cache.prune(cache.cache_folder(), used)
    return {
        "tokens": {split: content["tokens"] for split, content in splits.items()},
        "documents": {split: content["documents"] for split, content in splits.items()},
        **{name: dict(sorted(counter.items())) for name, counter in sums.items()},
        "bytes_per_token": token_type(size).itemsize,
    }


def _jobs(
    config: TokenizeConfig, sources: Mapping[str, SourceConfig], corpus: Path, tokenizer: Path, split: str
) -> list[Job]:
    """One job for each shard; weights apply to training alone."""
    weights = {name: source.weight for name, source in sources.items()} if split == "train" else {}
    tokenizer_hash = file_hash(tokenizer / "tokenizer.json")
    return [
        Job(path.absolute(), tokenizer.absolute(), tokenizer_hash, weights, config.shard_tokens, cache.cache_folder())
        for path in shard_paths(corpus, split)
    ]


def _made(jobs: Sequence[Job]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The shards' tokens in order, by worker processes where starting them pays, by threads elsewhere."""
    if sum(job.shard.stat().st_size for job in jobs) < WORTH_WORKERS:
        with ThreadPoolExecutor(worker_count()) as threads:
            yield from threads.map(make_tokens, jobs)
        return
    with open_engine() as engine:
        yield from engine.map(make_tokens, jobs)


def _fill(
    target: Path,
    split: str,
    jobs: Sequence[Job],
    made: Iterator[tuple[str, dict[str, Any]]],
    used: set[str],
    sums: Mapping[str, Counter[str]],
    shown: Progress,
) -> dict[str, Any]:
    """Put a split's shards in place; returns its entry in the manifest."""
    (target / split).mkdir()
    content: dict[str, Any] = {"tokens": 0, "documents": 0, "shards": [], "lineage": []}
    for job in jobs:
        key, counts = next(made)
        entry, name = job.cache / key, f"{split}/{job.shard.stem}"
        for number, tokens in enumerate(counts["parts"]):
            _link(entry / f"{number:05d}.bin", target / f"{name}-{number:05d}.bin")
            content["shards"].append({"file": f"{name}-{number:05d}.bin", "tokens": tokens})
        _link(entry / DOCUMENTS, target / f"{name}.{DOCUMENTS}")
        content["lineage"].append({"file": f"{name}.{DOCUMENTS}", "tokens": sum(counts["parts"])})
        content["tokens"] += sum(counts["parts"])
        content["documents"] += counts["documents"]
        for column, counter in sums.items():
            counter.update(counts[column])
        used.add(key)
        shown.advance(counts["read"])
    return content


def _link(source: Path, target: Path) -> None:
    """A hard link to a file, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
