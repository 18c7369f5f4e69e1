"""The stage `curate`: raw files of data/ -> clean documents in two splits, and clean labelled rows.

Three passes: the engine filters rows block by block; duplicates are detected over all blocks; the documents of each
block are written. A row is kept, or goes to quarantine.jsonl with a reason: read = kept + the sum of the reasons.
Changed rows are listed in changed.jsonl.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from components.artifacts import each_of_kind, of_kind, write_manifest
from components.corpus import row_filter
from components.corpus.blocks import Block, cut
from components.corpus.config import CurateConfig, SourceConfig
from components.corpus.counts import CorpusCounts
from components.corpus.decontamination import HeldOut
from components.corpus.duplicates import Duplicates, find_duplicates
from components.corpus.files import CorpusFile, corpus_files, notices, source_licences, strange_sources
from components.corpus.filter_block import Criteria, cache_folder, filter_block, holds_removed
from components.corpus.labelled import HELD_OUT, Labelled, curate_task
from components.corpus.leaks import find_leaks
from components.corpus.quarantine import write_row
from components.corpus.removals import Removals, read_removals
from components.corpus.report import write_report
from components.corpus.unversioned import refuse_unversioned
from components.corpus.write_block import Work, write_block
from components.engine import Engine, open_engine
from components.errors import DataError
from components.run import Metrics, Run, progress
from components.staging import staged
from components.tasks.config import TaskConfig

REASONS = ("removed", *row_filter.REASONS, *(f"in_task_{split}" for split in HELD_OUT), "duplicate", "near_duplicate")
KEPT_BLOCKS_DAYS = 14
"""Filtered blocks that no run has used for this time are deleted."""


def curate(
    config: CurateConfig,
    sources: dict[str, SourceConfig],
    tasks: dict[str, TaskConfig],
    seed: int,
    data: Path,
    removals: Path,
    corpus: Path,
    labelled: Path,
    report: Path,
    run: Run,
) -> Metrics:
    """Raises DataError naming file and line for data that cannot be read or are inconsistent."""
    if not data.is_dir():
        raise DataError(f"{data}: missing", "run `dvc pull data` for the sample data, or put your own there")
    refuse_unversioned(data)
    removed = read_removals(removals)
    with staged(labelled, each_of_kind("task")) as labelled_target, staged(corpus, of_kind("corpus")) as corpus_target:
        found = _tasks(data, labelled_target, tasks, removed, config.scrub if config.scrub_labelled else ())
        criteria = Criteria(config, sources, seed, HeldOut(_held_out(found), config), removed)
        with open_engine() as engine:
            blocks = _filter(engine, criteria, corpus_files(data / "corpus"), data)
            leaks = find_leaks(blocks, criteria.held_out, config.max_held_out_documents)
            duplicates = find_duplicates(blocks, leaks, config)
            counts = _finish(engine, blocks, duplicates, corpus_target)
        counts.refuse_empty(data / "corpus")
        made_from = {"corpus": data / "corpus"} | {f"task_{name}": labelled_target / name for name in found}
        told = {"licences": source_licences(counts.sources, sources), "notices": notices(data)}
        write_manifest(corpus_target, "corpus", made_from, **counts.manifest(), **told)
    strangers = strange_sources(sources, counts.sources)
    write_report(report, counts, found, strangers)
    run.log_files(report, "curation")
    run.say(f"corpus: {counts.documents:,} of {counts.read:,} rows kept as documents")
    for name, task in found.items():
        for line in (task.account(), *task.remarks()):
            run.say(f"{name}: {line}")
    for line in strangers:
        run.say(line)
    run.say(f"report: {report / 'index.html'}")
    return counts.metrics(REASONS, row_filter.CHANGES) | {"tasks": {name: one.metrics() for name, one in found.items()}}


def _tasks(
    data: Path, target: Path, tasks: Mapping[str, TaskConfig], removed: Removals, scrub: Collection[str]
) -> dict[str, Labelled]:
    return {
        name: curate_task(task, data / "tasks" / name, data, target / name, removed, scrub)
        for name, task in sorted(tasks.items())
    }


def _held_out(found: Mapping[str, Labelled]) -> Iterator[tuple[str, str]]:
    """(split, text) of the held-out rows that the corpus must not contain. Test rows come first: they decide where a
    text is in both splits.
    """
    for split in HELD_OUT:
        for task in found.values():
            yield from ((split, text) for text in task.held_out[split])


def _filter(engine: Engine, criteria: Criteria, files: list[CorpusFile], data: Path) -> list[Path]:
    """The filtered blocks, in order; blocks in the cache are not filtered again."""
    folder = cache_folder()
    work = partial(filter_block, criteria, criteria.digest, folder)
    sizes = {file.path: file.path.stat().st_size for file in files}
    with progress("curate", sum(sizes.values()), "bytes") as shown:

        def read(path: Path) -> None:
            shown.advance(sizes[path], path.name)

        blocks: Iterator[Block] = cut(files, data, read)
        paths = list(engine.map(work, blocks))
    _forget_old(folder, paths, criteria.removals)
    return paths


def _forget_old(folder: Path, used: list[Path], removed: Removals) -> None:
    """Delete blocks that no run has used for long, and at once those with removed rows."""
    for path in used:
        os.utime(path)
    for partial_file in folder.glob(".*"):  # of a worker that was killed
        partial_file.unlink(missing_ok=True)
    limit = max(path.stat().st_mtime for path in used) - KEPT_BLOCKS_DAYS * 86400
    for path in set(folder.glob("*.parquet")).difference(used):
        if path.stat().st_mtime < limit or (removed != Removals() and holds_removed(path, removed)):
            path.unlink(missing_ok=True)


def _finish(engine: Engine, blocks: list[Path], duplicates: Duplicates, target: Path) -> CorpusCounts:
    """Write every block's documents and count every row."""
    counts = CorpusCounts()
    work = (Work(path, target, duplicates.rows(number, path)) for number, path in enumerate(blocks))
    with (
        (target / "quarantine.jsonl").open("w", encoding="utf-8", newline="\n") as rejected,
        (target / "changed.jsonl").open("w", encoding="utf-8", newline="\n") as changed,
    ):
        for block in engine.map(write_block, work):
            _write(rejected, block.rejected)
            _write(changed, block.changed)
            counts.add(block)
    return counts


def _write(stream: TextIO, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        write_row(stream, row)
