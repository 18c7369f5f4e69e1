"""lianzi trace and forget: where a row went, and how it goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cli import trace
from components.artifacts import digest, write_manifest
from components.corpus.curate import curate
from components.corpus.removals import read_removals
from components.errors import ArtifactError, DataError
from components.registry import Registry
from components.run import RecordedRun
from components.tokenization.config import TokenizeConfig
from components.tokenization.pack import tokenize
from components.tokenization.reader import PackedTokens
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, small_data, write
from tests.small_artifacts import small_tokenizer
from tests.small_store import copy_store


@pytest.fixture
def traced(tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose corpus, tasks and tokens are there, and a registered model of the task colour."""
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    copy_store(mlflow_store, tmp_path)
    data, out = small_data(tmp_path / "data"), tmp_path / "artifacts"
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), documents(1)[0] | {"id": "copy"}])
    paths = (data, tmp_path / "removals.txt", out / "corpus", out / "tasks", tmp_path / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    small_tokenizer(out / "tokenizer")
    tokenize(
        TokenizeConfig(shard_tokens=1024), SOURCES, out / "corpus", out / "tokenizer", out / "tokens", RecordedRun()
    )
    for name, made_from in (
        ("pretrained", {"tokens": out / "tokens"}),
        ("colour/teacher", {"rows": out / "tasks/colour"}),
    ):
        (out / name).mkdir(parents=True)
        write_manifest(out / name, "model", made_from)
    content = YAML(typ="safe").load((root / "params.yaml").read_text())
    content["tasks"] = {"colour": {"kind": "classification", "language": "en", "max_length": 16}}
    YAML().dump(content, tmp_path / "params.yaml")
    return tmp_path


def register(task: str, **tags: str) -> None:
    client = Registry().client
    client.create_registered_model(task)
    client.create_model_version(task, "file:///nowhere", tags=tags)


def test_a_documents_tokens_are_those_of_its_text(traced: Path) -> None:
    [row] = trace.trace_rows(traced, "sea_en/d7")
    [place] = row.tokens
    tokens = PackedTokens(traced / "artifacts" / "tokens", place.split)
    ids = tokens.gather([place.begin], place.end - place.begin)[0]
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(traced / "artifacts" / "tokenizer" / "tokenizer.json"))
    assert ids[:-1].tolist() == encoder.encode(documents(60)[7]["text"], add_special_tokens=False).ids


def test_a_trace_names_artifacts_and_models(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("colour", corpus=digest(traced / "artifacts" / "corpus"), rows="of another day")
    trace.show_trace(traced, "sea_en/d0", as_json=False)
    told = capsys.readouterr().out
    assert told.startswith("sea_en/d0  data/corpus/sea_en.jsonl:1  “This is about")
    assert "repeated by sea_en/copy" in told
    assert "went into: artifacts/tokens, artifacts/pretrained" in told
    assert "model colour v1: made with it" in told
    trace.show_trace(traced, "colour/train/line-1", as_json=False)
    told = capsys.readouterr().out
    assert "went into: artifacts/colour/teacher" in told
    assert "v1: made from other data" in told


def test_a_row_that_was_left_out_went_nowhere(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace.show_trace(traced, "sea_en/copy", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["reason"], told["artifacts"], told["line"]) == ("duplicate", [], 61)


def test_an_unknown_row_is_refused_with_the_form_of_ids(traced: Path) -> None:
    with pytest.raises(DataError, match=r"sea/99: no such row in artifacts/\nids are SOURCE/NAME"):
        trace.trace_rows(traced, "sea/99")


def test_forgetting_writes_the_row_and_its_copies_and_says_what_to_make_anew(
    traced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace.forget_rows(traced, ["sea_en/d0", "colour/train/line-1"])
    told = capsys.readouterr().out
    assert read_removals(traced / "removals.txt").ids == {("corpus", "sea_en/d0"), ("corpus", "sea_en/copy")}
    assert "3 added to removals.txt" in told
    assert "rows of artifacts/ that it takes out: 0 before, 2 now" in told
    assert "to be rebuilt: artifacts/colour/teacher, artifacts/pretrained, artifacts/tokens" in told
    trace.forget_rows(traced, ["sea_en/d0"])
    assert "0 added to removals.txt: all of them were there already" in capsys.readouterr().out


def test_one_unknown_row_and_nothing_is_forgotten(traced: Path) -> None:
    with pytest.raises(DataError):
        trace.forget_rows(traced, ["sea_en/d0", "sea_en/nobody"])
    assert not (traced / "removals.txt").exists()


def test_forgetting_names_copies_and_what_was_made_from_them(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = documents(60)[3]["text"]
    rows = [{"text": "a row about the colour red", "label": "a"}, {"text": text, "label": "b"}]
    write(traced / "data" / "tasks" / "colour" / "train.jsonl", rows)
    out = traced / "artifacts"
    paths = (traced / "data", traced / "removals.txt", out / "corpus", out / "tasks", traced / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    write_manifest(out / "colour" / "teacher", "model", {"rows": out / "tasks/colour"})
    trace.forget_rows(traced, ["sea_en/d3"])
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
        trace.forget_rows(traced, ["colour/train/d0"])
    trace.forget_rows(traced, ["tasks:colour/train/d0"])
    assert read_removals(traced / "removals.txt").ids == {("tasks", "colour/train/d0")}


def test_a_damaged_list_is_told_before_anything_is_written(traced: Path) -> None:
    (traced / "removals.txt").write_bytes(b"sea_en/d1\nsea_en/\xff\n")
    with pytest.raises(DataError, match=r"removals\.txt:2: not UTF-8"):
        trace.forget_rows(traced, ["sea_en/d0"])
    assert (traced / "removals.txt").read_bytes() == b"sea_en/d1\nsea_en/\xff\n"


def test_without_a_corpus_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"corpus: missing, so no row can be found\n.* wait for it"):
        trace.forget_rows(tmp_path, ["sea_en/d0"])
    assert not (tmp_path / "removals.txt").exists()
