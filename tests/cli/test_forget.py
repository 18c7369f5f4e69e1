"""lianzi forget: how a row goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.forget import forget_rows
from components.artifacts import write_manifest
from components.corpus.curate import curate
from components.corpus.removals import read_removals
from components.errors import ArtifactError, DataError
from components.run import RecordedRun
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, write


def test_forgetting_writes_the_row_and_its_copies_and_says_what_to_make_anew(
    traced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_rows(traced, ["sea_en/d0", "colour/train/line-1"])
    told = capsys.readouterr().out
    assert read_removals(traced / "removals.txt").ids == {("corpus", "sea_en/d0"), ("corpus", "sea_en/copy")}
    assert "3 added to removals.txt" in told
    assert "rows of artifacts/ that it takes out: 0 before, 2 now" in told
    assert "to be rebuilt: artifacts/colour/teacher, artifacts/pretrained, artifacts/tokens" in told
    forget_rows(traced, ["sea_en/d0"])
    assert "0 added to removals.txt: all of them were there already" in capsys.readouterr().out


def test_one_unknown_row_and_nothing_is_forgotten(traced: Path) -> None:
    with pytest.raises(DataError):
        forget_rows(traced, ["sea_en/d0", "sea_en/nobody"])
    assert not (traced / "removals.txt").exists()


def test_forgetting_names_copies_and_what_was_made_from_them(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = documents(60)[3]["text"]
    rows = [{"text": "a row about the colour red", "label": "a"}, {"text": text, "label": "b"}]
    write(traced / "data" / "tasks" / "colour" / "train.jsonl", rows)
    out = traced / "artifacts"
    paths = (traced / "data", traced / "removals.txt", out / "corpus", out / "tasks", traced / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    write_manifest(out / "colour" / "teacher", "model", {"rows": out / "tasks/colour"})
    forget_rows(traced, ["sea_en/d3"])
    told = capsys.readouterr().out
    assert "rows of artifacts/ that it takes out: 0 before, 2 now" in told
    assert "colour/train/line-2 says the same and is removed as well" in told
    assert "artifacts/colour/teacher" in told
    assert "the text still stands in data/corpus/sea_en.jsonl, data/tasks/colour, in DVC's cache" in told


def test_an_id_of_a_document_and_of_a_labelled_row_is_asked_back(traced: Path) -> None:
    write(traced / "data" / "corpus" / "colour" / "train.jsonl", documents(1, seed=4))
    write(
        traced / "data" / "tasks" / "colour" / "train.jsonl",
        [{"id": "d0", "text": "a row about the colour red", "label": "a"}, {"text": "a blue one", "label": "b"}],
    )
    out = traced / "artifacts"
    paths = (traced / "data", traced / "removals.txt", out / "corpus", out / "tasks", traced / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    with pytest.raises(DataError, match=r"have this id\ncorpus:colour/train/d0 is the one in data/corpus/colour"):
        forget_rows(traced, ["colour/train/d0"])
    forget_rows(traced, ["tasks:colour/train/d0"])
    assert read_removals(traced / "removals.txt").ids == {("tasks", "colour/train/d0")}


def test_a_damaged_list_is_told_before_anything_is_written(traced: Path) -> None:
    (traced / "removals.txt").write_bytes(b"sea_en/d1\nsea_en/\xff\n")
    with pytest.raises(DataError, match=r"removals\.txt:2: not UTF-8"):
        forget_rows(traced, ["sea_en/d0"])
    assert (traced / "removals.txt").read_bytes() == b"sea_en/d1\nsea_en/\xff\n"


def test_without_a_corpus_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"corpus: missing, so no row can be found\n.* wait for it"):
        forget_rows(tmp_path, ["sea_en/d0"])
    assert not (tmp_path / "removals.txt").exists()
