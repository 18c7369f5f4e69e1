"""A row found by its id, and what was made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import write_manifest
from components.corpus.curate import curate
from components.errors import ArtifactError
from components.lineage import descendants, find_rows, kept_count, kept_rows
from components.run import RecordedRun
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, small_data, write


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    data, out = small_data(tmp_path / "data"), tmp_path / "artifacts"
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), documents(1)[0] | {"id": "copy"}, {"text": "tiny"}])
    made = (data, tmp_path / "removals.txt", out / "corpus", out / "tasks", tmp_path / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *made, RecordedRun())
    return out


def made(folder: Path, kind: str, **made_from: Path) -> Path:
    folder.mkdir(parents=True)
    write_manifest(folder, kind, made_from)
    return folder


def test_a_document_is_found_with_its_place_and_what_repeats_it(artifacts: Path) -> None:
    [row] = find_rows(artifacts, "sea_en/d0")
    assert (row.file, row.line, row.reason, row.same) == ("corpus/sea_en.jsonl", 1, "", ("sea_en/copy",))
    assert (row.place, row.text) == ("corpus", documents(1)[0]["text"])


def test_a_row_that_was_left_out_is_found_with_the_reason(artifacts: Path) -> None:
    [row] = find_rows(artifacts, "sea_en/line-62")
    assert (row.reason, row.split) == ("too_short", "")


def test_a_labelled_row_is_found_in_its_split(artifacts: Path) -> None:
    [row] = find_rows(artifacts, "colour/test/line-1")
    assert (row.artifact.name, row.split, row.place) == ("colour", "test", "tasks")


@pytest.mark.parametrize(
    "row_id",
    ["sea_en/nobody", "colour/test/line-9", "nothing", "colour/manifest/x", "../tasks/colour/x", "tasks:sea_en/d0", ""],
)
def test_an_id_that_no_row_has_finds_nothing(row_id: str, artifacts: Path) -> None:
    assert find_rows(artifacts, row_id) == []


def test_a_document_and_a_labelled_row_of_one_id_are_told_apart(tmp_path: Path, artifacts: Path) -> None:
    write(tmp_path / "data" / "corpus" / "colour" / "test.jsonl", [{"text": documents(1, seed=7)[0]["text"]}])
    made = (
        tmp_path / "data",
        tmp_path / "removals.txt",
        artifacts / "corpus",
        artifacts / "tasks",
        tmp_path / "reports",
    )
    curate(curate_config(), SOURCES, TASKS, 1, *made, RecordedRun())
    assert [row.place for row in find_rows(artifacts, "colour/test/line-1")] == ["corpus", "tasks"]
    for place in ("corpus", "tasks"):
        [row] = find_rows(artifacts, f"{place}:colour/test/line-1")
        assert row.place == place


def test_kept_rows_are_all_that_corpus_and_tasks_hold(artifacts: Path) -> None:
    found = [(row.place, row.id) for row in kept_rows(artifacts)]
    assert len(found) == len(set(found)) == kept_count(artifacts) == 60 + 40 + 4
    assert ("tasks", "colour/train/line-2") in found


def test_descendants_are_what_was_made_from_it_directly_or_not(artifacts: Path) -> None:
    tokens = made(artifacts / "tokens", "tokens", corpus=artifacts / "corpus")
    pretrained = made(artifacts / "pretrained", "model", tokens=tokens)
    teacher = made(
        artifacts / "colour" / "teacher", "model", pretrained=pretrained, rows=artifacts / "tasks" / "colour"
    )
    made(artifacts / "other", "model", rows=artifacts / "tasks" / "colour" / "train.jsonl")
    assert descendants(artifacts, artifacts / "corpus") == [tokens, pretrained, teacher]
    assert descendants(artifacts, artifacts / "tasks" / "colour") == [teacher]


def test_what_was_made_from_an_earlier_state_is_no_descendant(artifacts: Path) -> None:
    made(artifacts / "tokens", "tokens", corpus=artifacts / "corpus")
    write_manifest(artifacts / "corpus", "corpus", {}, changed=True)
    assert descendants(artifacts, artifacts / "corpus") == []


def test_an_artifact_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="corpus: missing"):
        descendants(tmp_path, tmp_path / "corpus")
