"""A thousand rows with seeded faults through the whole stage: every fault found by its row's id, no clean row lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.corpus.config import SourceConfig
from components.corpus.curate import curate
from components.corpus.documents import SPLITS, documents_of, read_documents
from components.run import RecordedRun
from components.tasks.config import TaskConfig
from tests.corpus.seeded_faults import SeededRow, as_json_lines, fault_kinds, held_out_rows, labelled_rows, seeded_rows
from tests.corpus.small_corpus import curate_config, write

TASKS = {"places": TaskConfig(kind="classification", language="en", max_length=16)}
SOURCES = {"seeded": SourceConfig(weight=1.0, language="en", licence="CC0-1.0")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """artifacts/ of the curated rows."""
    folder = tmp_path_factory.mktemp("seeded")
    data = folder / "data"
    (data / "corpus").mkdir(parents=True)
    (data / "corpus" / "seeded.jsonl").write_text(as_json_lines(seeded_rows()), encoding="utf-8")
    labels = [{"id": row.id, "text": row.text, "label": row.label} for row in labelled_rows()]
    write(data / "tasks" / "places" / "train.jsonl", labels)
    held_out = held_out_rows()
    for split in ("validation", "test"):
        rows = [{"text": text, "label": labels[0]["label"]} for name, text in held_out if name == split]
        write(data / "tasks" / "places" / f"{split}.jsonl", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANZI_CACHE", str(folder / "cache"))
        patch.setenv("LIANZI_WORKERS", "1")
        config = curate_config(validation_fraction=0.02, min_characters=20)
        made = (data, folder / "removals.txt", folder / "corpus", folder / "tasks", folder / "reports")
        curate(config, SOURCES, TASKS, 1, *made, RecordedRun())
    return folder


def lines(path: Path) -> dict[str, dict[str, Any]]:
    """Row id, without what the stage puts before it -> row."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {row["id"].partition("/")[2]: row for row in rows}


@pytest.fixture(scope="module")
def rejected(corpus: Path) -> dict[str, dict[str, Any]]:
    return lines(corpus / "corpus" / "quarantine.jsonl")


@pytest.fixture(scope="module")
def kept(corpus: Path) -> dict[str, str]:
    rows = (row for split in SPLITS for row in documents_of(read_documents(corpus / "corpus", split)))
    return {row["id"].partition("/")[2]: row["text"] for row in rows}


@pytest.mark.parametrize("kind", [kind for kind in fault_kinds() if kind != "wrong_label"])
def test_every_fault_is_found_in_its_row(
    kind: str, corpus: Path, rejected: dict[str, dict[str, Any]], kept: dict[str, str]
) -> None:
    changed = lines(corpus / "corpus" / "changed.jsonl")
    for row in (row for row in seeded_rows() if row.fault == kind):
        if row.expected == "kept":
            assert row.change in changed[row.id]["changes"], row.id
            assert not row.gone or row.gone not in kept[row.id], row.id
        else:
            assert rejected[row.id]["reason"] in _fates(row), row.id
            assert rejected[row.id].get("same_as", "").partition("/")[2] == row.of, row.id


def _fates(row: SeededRow) -> tuple[str, ...]:
    """A near duplicate may turn out to be an exact one once both are normalised."""
    return ("duplicate", "near_duplicate") if row.expected == "near_duplicate" else (row.expected,)


def test_no_clean_row_is_lost_or_changed(kept: dict[str, str]) -> None:
    clean = [row for row in seeded_rows() if not row.fault]
    assert len(clean) > 800
    assert [row.id for row in clean if kept.get(row.id) != row.text] == []


def test_wrong_labels_are_found(corpus: Path) -> None:
    rows = lines(corpus / "tasks" / "places" / "quarantine.jsonl")
    found = {name for name, row in rows.items() if row["reason"] == "label_conflict"}
    assert found == {row.id for row in labelled_rows() if row.fault == "wrong_label"}
