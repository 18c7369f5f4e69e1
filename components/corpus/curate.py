"""The stage `curate`: raw files of data/ -> clean documents split in two, and clean labelled rows.

A row is kept or goes to quarantine.jsonl with a reason, never anywhere else: read = kept + each reason.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from components.artifacts import staged, write_manifest
from components.corpus.duplicates import Duplicates, falls_to_validation
from components.corpus.filters import FILTERS, reason_to_reject
from components.corpus.labelled import Labelled, curate_task
from components.corpus.language import language_of
from components.corpus.normalise import normalise
from components.corpus.quarantine import Quarantine, write_row
from components.corpus.read import Record, read_records, split_name
from components.errors import DataError
from components.params import CurateConfig, TaskConfig
from components.run import Metrics, Run, progress

REASONS = (*FILTERS, "duplicate", "in_task_validation", "in_task_test")


@dataclass
class Kept:
    """What went into the corpus so far."""

    documents: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, split: str, row: dict[str, Any]) -> None:
        self.documents[split] += 1
        self.sources[row["source"]] += 1
        self.languages[row["language"]] += 1
        self.characters[row["language"]] += len(row["text"])


@dataclass
class Sorter:
    """Puts each record where it belongs: the train or validation split, or quarantine."""

    config: CurateConfig
    seed: int
    duplicates: Duplicates
    splits: dict[str, TextIO]
    quarantine: Quarantine
    kept: Kept = field(default_factory=Kept)

    def put(self, record: Record) -> None:
        source = split_name(record.file)[0]
        text = normalise(record.text())
        name = f"{source}/{record.name}"
        reason = reason_to_reject(text, self.config) or self.duplicates.reason_to_reject(text)
        if reason:
            self.quarantine.put(record, name, text, reason)
            return
        split = "validation" if falls_to_validation(text, self.config.validation_fraction, self.seed) else "train"
        language = language_of(text, str(record.fields.get("language") or ""), source)
        row = {"id": name, "text": text, "source": source, "language": language}
        write_row(self.splits[split], row)
        self.kept.add(split, row)


def curate(
    config: CurateConfig, tasks: dict[str, TaskConfig], seed: int, data: Path, corpus: Path, labelled: Path, run: Run
) -> Metrics:
    """Raises DataError naming file and line for whatever in `data` cannot be read or does not fit together."""
    if not data.is_dir():
        raise DataError(f"{data}: missing", "run `dvc pull data` for the sample data, or put your own there")
    with staged(labelled) as labelled_target, staged(corpus) as corpus_target:
        found = {name: curate_task(data / "tasks" / name, data, labelled_target / name) for name in sorted(tasks)}
        with ExitStack() as stack:
            streams = {name: _created(stack, corpus_target, name) for name in ("train", "validation", "quarantine")}
            quarantine = Quarantine(streams.pop("quarantine"), data)
            sorter = Sorter(config, seed, Duplicates(_held_out(found)), streams, quarantine)
            _sort_files(_corpus_files(data / "corpus"), sorter, run)
        kept, rejected = sorter.kept, quarantine.counts
        _refuse_empty(kept, rejected, data / "corpus")
        counts = {"read": kept.documents.total() + rejected.total(), "kept": dict(kept.documents), **dict(rejected)}
        write_manifest(
            corpus_target,
            "corpus",
            {"corpus": data / "corpus"} | {f"task_{name}": labelled_target / name for name in found},
            counts=counts,
            sources=dict(kept.sources),
            languages=dict(kept.languages),
        )
    return _metrics(kept, rejected, found)


def _sort_files(files: list[Path], sorter: Sorter, run: Run) -> None:
    sizes = {path: path.lstat().st_size for path in files}
    with progress("curate", sum(sizes.values()), "bytes") as shown:
        for path in files:
            kept_before, read = sorter.kept.documents.total(), 0
            for record in read_records(path):
                sorter.put(record)
                read += 1
            kept = sorter.kept.documents.total() - kept_before
            run.say(f"{path.name}: {read:,} rows read, {kept:,} documents kept")
            shown.advance(sizes[path])


def _corpus_files(folder: Path) -> list[Path]:
    """The data files under a folder, hidden ones left out. Two may not give their documents the same source."""
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() and not path.name.startswith("."))
    if not files:
        raise DataError(f"{folder}: no corpus here", "run `dvc pull data`, or put text files there")
    by_source: dict[str, Path] = {}
    for path in files:
        other = by_source.setdefault(split_name(path)[0], path)
        if other is not path:
            raise DataError(f"{other} and {path}: the same name but for the format", "rename one of them")
    return files


def _created(stack: ExitStack, target: Path, name: str) -> TextIO:
    return stack.enter_context((target / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n"))


def _held_out(found: dict[str, Labelled]) -> dict[bytes, str]:
    """The held-out texts of all tasks; one that is in a test split anywhere is named so."""
    merged: dict[bytes, str] = {}
    for split in ("in_task_validation", "in_task_test"):
        for task in found.values():
            merged |= {key: reason for key, reason in task.held_out.items() if reason == split}
    return merged


def _refuse_empty(kept: Kept, rejected: Counter[str], folder: Path) -> None:
    for split in ("train", "validation"):
        if not kept.documents[split]:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items())) or "none"
            raise DataError(
                f"{folder}: no document is left for the {split} split (rejected: {reasons})",
                "add documents, loosen `curate:` in params.yaml, or raise curate.validation_fraction",
            )


def _metrics(kept: Kept, rejected: Counter[str], found: dict[str, Labelled]) -> Metrics:
    return {
        "documents": {
            "read": kept.documents.total() + rejected.total(),
            "train": kept.documents["train"],
            "validation": kept.documents["validation"],
        },
        "quarantined": {reason: rejected[reason] for reason in REASONS},
        "languages": dict(sorted(kept.languages.items())),
        "characters": dict(sorted(kept.characters.items())),
        "tasks": {
            name: {
                **task.kept,
                "quarantined": sum(task.quarantined.values()),
                "classes": len(task.labels),
            }
            for name, task in found.items()
        },
    }
