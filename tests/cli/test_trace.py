"""lianzi trace: where a row went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.forget import forget_rows
from cli.trace import REQUESTS, Outputs, show_lineage
from components.artifacts import digest
from components.errors import DataError, ParameterError
from components.registry import Registry
from components.tokenization.reader import PackedTokens
from flows.lineage.rows import trace_rows
from tests.corpus.small_corpus import documents


def show_trace(root: Path, named: str, as_json: bool) -> None:
    show_lineage(root, named, as_json, Outputs(), REQUESTS)


def register(task: str, **tags: str) -> None:
    client = Registry().client
    client.create_registered_model(task)
    client.create_model_version(task, "file:///nowhere", tags=tags)


def test_a_documents_tokens_are_those_of_its_text(traced: Path) -> None:
    [row] = trace_rows(traced, "sea_en/d7")
    [place] = row.tokens
    tokens = PackedTokens(traced / "artifacts" / "tokens", place.split)
    ids = tokens.gather([place.begin], place.end - place.begin)[0]
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(traced / "artifacts" / "tokenizer" / "tokenizer.json"))
    assert ids[:-1].tolist() == encoder.encode(documents(60)[7]["text"], add_special_tokens=False).ids


def test_a_trace_names_artifacts_and_models(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("colour", corpus=digest(traced / "artifacts" / "corpus"), rows="of another day")
    show_trace(traced, "sea_en/d0", as_json=False)
    told = capsys.readouterr().out
    assert told.startswith("sea_en/d0  data/corpus/sea_en.jsonl:1  “This is about")
    assert "repeated by sea_en/copy" in told
    assert "went into: artifacts/tokens, artifacts/pretrained" in told
    assert "model colour v1: made with it" in told
    show_trace(traced, "colour/train/line-1", as_json=False)
    told = capsys.readouterr().out
    assert "went into: artifacts/colour/teacher" in told
    assert "v1: made from other data" in told


def test_a_row_that_was_left_out_went_nowhere(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_trace(traced, "sea_en/copy", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["reason"], told["artifacts"], told["line"]) == ("duplicate", [], 61)


def test_an_unknown_row_is_refused_with_the_form_of_ids(traced: Path) -> None:
    with pytest.raises(DataError, match=r"sea/99: no such row in artifacts/\nids are SOURCE/NAME"):
        trace_rows(traced, "sea/99")


def test_one_unknown_row_and_nothing_is_forgotten(traced: Path) -> None:
    with pytest.raises(DataError):
        forget_rows(traced, ["sea_en/d0", "sea_en/nobody"])
    assert not (traced / "removals.txt").exists()


def test_a_picture_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    outputs = Outputs(picture=tmp_path / "lineage.png")
    with pytest.raises(ParameterError, match=r"lineage\.png: no picture of this kind\nit is \.svg or \.html"):
        show_lineage(tmp_path, "sea_en/d7", False, outputs, REQUESTS)
