"""The stage curate: nothing is lost, nothing leaks, nothing half-written is left."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import read_manifest
from components.corpus.curate import REASONS, curate
from components.errors import DataError
from components.params import TaskConfig, load_params
from components.run import Metrics, RecordedRun

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate.model_copy(
    update={
        "min_characters": 10,
        "max_characters": 200,
        "min_letter_share": 0.5,
        "max_repeated_line_share": 0.3,
        "validation_fraction": 0.2,
    }
)
TASKS = {"colour": TaskConfig(kind="classification", language="en", max_length=16)}
DOCUMENTS = [{"text": f"A document about the number {number}."} for number in range(60)]
MESS = [
    {"text": "short"},
    {"text": ""},
    {"text": None},
    {"text": "1234567890 1234567890"},
    {"text": "again and\nagain and\nagain and"},
    {"text": "a long word " * 30},
    DOCUMENTS[0],
    {"text": "a test row of the task"},
    {"text": "a validation row of the task"},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write(folder / "corpus" / "numbers_en.jsonl", DOCUMENTS + MESS)
    write(folder / "tasks" / "colour" / "train.jsonl", [{"text": "red", "label": "a"}, {"text": "blue", "label": "b"}])
    write(folder / "tasks" / "colour" / "validation.jsonl", [{"text": "a validation row of the task", "label": "a"}])
    write(folder / "tasks" / "colour" / "test.jsonl", [{"text": "a test row of the task", "label": "b"}])
    return folder


def write(path: Path, content: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")


def curated(data: Path, to: str = "artifacts", seed: int = 1) -> Metrics:
    out = data.parent / to
    return curate(CONFIG, TASKS, seed, data, out / "corpus", out / "tasks", RecordedRun())


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_row_read_is_kept_or_in_quarantine_with_its_reason(data: Path) -> None:
    metrics = curated(data)
    corpus = data.parent / "artifacts" / "corpus"
    kept = [row["text"] for split in ("train", "validation") for row in rows(corpus / f"{split}.jsonl")]
    rejected = rows(corpus / "quarantine.jsonl")
    assert sorted(kept) == sorted(row["text"] for row in DOCUMENTS)
    assert len(kept) + len(rejected) == len(DOCUMENTS) + len(MESS) == metrics["documents"]["read"]
    assert Counter(row["reason"] for row in rejected) == Counter(REASONS) + Counter(empty=1)
    assert [row["line"] for row in rejected] == list(range(61, 70))
    assert sum(metrics["quarantined"].values()) == len(rejected)


def test_manifest_counts_add_up(data: Path) -> None:
    curated(data)
    counts = read_manifest(data.parent / "artifacts" / "corpus", "corpus")["counts"]
    assert counts["read"] == sum(counts["kept"].values()) + sum(counts[reason] for reason in REASONS)


def test_same_data_gives_the_same_bytes(data: Path) -> None:
    curated(data, "one")
    curated(data, "two")
    assert contents(data.parent / "one") == contents(data.parent / "two")


def test_split_does_not_depend_on_file_or_order(data: Path) -> None:
    curated(data, "one")
    (data / "corpus" / "numbers_en.jsonl").unlink()
    write(data / "corpus" / "b.jsonl", DOCUMENTS[:20][::-1])
    write(data / "corpus" / "a.jsonl", DOCUMENTS[20:])
    curated(data, "two")
    one, two = (
        {row["text"] for row in rows(data.parent / to / "corpus" / "validation.jsonl")} for to in ("one", "two")
    )
    assert one == two


def test_documents_know_their_source_and_language(data: Path) -> None:
    (data / "corpus" / "verse.txt").write_text("白日依山盡，黃河入海流。\n\nNo more than a line of English.\n", "utf-8")
    curated(data)
    corpus = data.parent / "artifacts" / "corpus"
    found = [row for split in ("train", "validation") for row in rows(corpus / f"{split}.jsonl")]
    verse = {row["id"]: row["language"] for row in found if row["source"] == "verse"}
    assert verse == {"verse/line-1": "zh", "verse/line-3": "en"}
    assert {row["language"] for row in found if row["source"] == "numbers_en"} == {"en"}


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data: missing\nrun `dvc pull data`"):
        curated(tmp_path / "data")


def test_empty_corpus_is_refused(data: Path) -> None:
    (data / "corpus" / "numbers_en.jsonl").unlink()
    with pytest.raises(DataError, match="no corpus here"):
        curated(data)


def test_corpus_of_which_nothing_is_left_says_why(data: Path) -> None:
    write(data / "corpus" / "numbers_en.jsonl", MESS[:3])
    with pytest.raises(DataError, match=r"no document is left for the train split \(rejected: empty 2, too_short 1\)"):
        curated(data)


def test_file_of_unknown_format_is_not_passed_over(data: Path) -> None:
    (data / "corpus" / "notes.docx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"notes\.docx: not a format known here"):
        curated(data)


def test_two_files_with_one_name_are_refused(data: Path) -> None:
    (data / "corpus" / "numbers_en.txt").write_text("some text\n")
    with pytest.raises(DataError, match="the same name but for the format"):
        curated(data)


def test_damage_in_the_last_file_leaves_no_output_and_keeps_the_old_one(data: Path) -> None:
    curated(data)
    before = contents(data.parent / "artifacts")
    (data / "corpus" / "zzz.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a document cut short"}\n' * 99)[:-9])
    with pytest.raises(DataError, match=r"zzz\.jsonl\.gz: damaged"):
        curated(data)
    assert contents(data.parent / "artifacts") == before
    assert sorted(path.name for path in (data.parent / "artifacts").iterdir()) == ["corpus", "tasks"]
