"""A small curated corpus and task that meet every expectation; tests break one thing each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from components.artifacts import write_manifest
from components.corpus.config import ValidateConfig
from components.corpus.documents import write_shard
from components.tasks.config import TaskConfig
from components.validation.tables import open_database

Rows = list[dict[str, Any]]


@dataclass
class Curated:
    """Rows by split, and where `write` puts them."""

    folder: Path
    corpus: dict[str, Rows]
    task: dict[str, Rows]
    target: str = "label"

    def write(self) -> None:
        corpus, task = self.folder / "corpus", self.folder / "tasks" / "colour"
        for split, rows in self.corpus.items():
            write_shard(corpus / split / "doc-00000-0.parquet", rows)
        write_manifest(corpus, "corpus", {}, counts={}, sources={}, languages={})
        task.mkdir(parents=True, exist_ok=True)
        for split, rows in self.task.items():
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (task / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        write_manifest(task, "task", {}, labels=["a", "b"], columns={self.target: self.target})

    def tag(self) -> None:
        """Give the rows tags: every other one has an entity."""
        self.target = "tags"
        for rows in self.task.values():
            for row in rows:
                tokens = row["text"].split()
                first = {"a": "B-A", "b": "O"}[row.pop("label")]
                row |= {"tokens": tokens, "tags": [first, *["O"] * (len(tokens) - 1)]}


@pytest.fixture
def curated(tmp_path: Path) -> Curated:
    documents: Rows = [
        {"id": f"doc/{number}", "text": f"Document number {number}.", "source": "doc", "language": "en"}
        for number in range(40)
    ]
    verse = {"id": "verse/1", "text": "白日依山盡", "source": "verse", "language": "zh"}
    task = {
        split: [
            {"id": f"{split}-{number}", "text": f"{split} row {number}", "label": "ab"[number % 2]}
            for number in range(20)
        ]
        for split in ("train", "validation", "test")
    }
    return Curated(tmp_path, {"train": documents[4:], "validation": [*documents[:4], verse]}, task)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_WORKERS", "1")


@pytest.fixture
def config() -> ValidateConfig:
    return ValidateConfig(
        min_documents=30,
        length_quantiles=[[0.05, 1, 100], [0.5, 10, 100]],
        min_language_share=0.97,
        min_class_share=0.1,
        max_null_share=0.0,
        max_duplicate_share=0.0,
        max_personal_data_share=0.0,
        max_label_conflict_share=0.0,
        accepted=None,
        max_drift=0.25,
    )


@pytest.fixture
def tasks() -> dict[str, TaskConfig]:
    return {"colour": TaskConfig(kind="classification", language="en", max_length=16)}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_database(tmp_path / "spill") as opened:
        yield opened
