"""A small curated corpus and task that meet every expectation; tests break one thing each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import write_manifest
from components.params import TaskConfig, ValidateConfig

Rows = list[dict[str, Any]]


@dataclass
class Curated:
    """Rows by split, and where `write` puts them."""

    folder: Path
    corpus: dict[str, Rows]
    task: dict[str, Rows]

    def write(self) -> None:
        for kind, folder, splits in (
            ("corpus", self.folder / "corpus", self.corpus),
            ("task", self.folder / "tasks" / "colour", self.task),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            for split, rows in splits.items():
                lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
            write_manifest(folder, kind, {}, labels=["a", "b"])


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


@pytest.fixture
def config() -> ValidateConfig:
    return ValidateConfig(min_documents=30, min_language_share=0.97, min_class_share=0.1, max_null_share=0.0)


@pytest.fixture
def tasks() -> dict[str, TaskConfig]:
    return {"colour": TaskConfig(kind="classification", language="en", max_length=16)}
