"""components.planning.inputs: what is there is used, what is not is made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import read_manifest
from components.modeling.checkpoints import load_tokenizer
from components.params import Params
from components.planning.inputs import Inputs, longest_places, spread_places
from tests.small_families import family_checkpoint


@pytest.fixture
def inputs(params: Params, tmp_path: Path) -> Inputs:
    section = params.train_tokenizer.model_copy(update={"vocab_size": 400})
    small = params.model_copy(
        update={"train_tokenizer": section, "model": params.model.model_copy(update={"depth": 1, "width": None})}
    )
    return Inputs(small, tmp_path / "made", tmp_path / "tokenizer", tmp_path / "data", frozenset())


def test_what_is_there_is_taken_as_it_is(
    params: Params, tokenizer_folder: Path, tokens_folder: Path, task_rows: Path, tmp_path: Path
) -> None:
    inputs = Inputs(params, tmp_path, tokenizer_folder, tmp_path, frozenset())
    assert inputs.tokenizer_folder([]) == tokenizer_folder
    assert inputs.rows_folder(task_rows, "places") == task_rows
    assert inputs.tokens_folder(tokens_folder, tokenizer_folder) == tokens_folder
    assert inputs.made_up == []


def test_what_is_missing_is_made_up_and_named(inputs: Inputs, task_rows: Path) -> None:
    tokenizer = inputs.tokenizer_folder([task_rows])
    tokens = inputs.tokens_folder(Path("nowhere"), tokenizer)
    teacher = inputs.teacher_folder(Path("nowhere"), task_rows, tokenizer)
    assert len(load_tokenizer(tokenizer)) == read_manifest(tokens, "tokens")["vocab_size"] == 400
    assert read_manifest(teacher, "classifier")["labels"] == ["city", "field", "sea"]
    assert inputs.made_up == ["tokenizer", "tokens", "teacher", "pretrained"]


def test_a_stale_model_is_not_taken(params: Params, tokenizer_folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "pretrained"
    there.mkdir()
    small = params.model_copy(update={"model": params.model.model_copy(update={"depth": 1, "width": None})})
    inputs = Inputs(small, tmp_path / "made", tokenizer_folder, tmp_path, frozenset({there}))
    assert not inputs.there(there)
    assert inputs.pretrained_folder(there, tokenizer_folder) == tmp_path / "made" / "pretrained"


def test_rows_not_curated_yet_are_curated_from_the_data(inputs: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tasks" / "topic"
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [{"text": f"{split} row {n} of the sea", "label": "ab"[n % 2]} for n in range(6)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = inputs.rows_folder(Path("nowhere"), "topic")
    assert read_manifest(made, "task")["labels"] == ["a", "b"]
    assert inputs.made_up == []


def test_rows_are_chosen_by_length() -> None:
    lengths = [5, 1, 9, 7, 3]
    assert longest_places(lengths, 2) == [2, 3]
    assert spread_places(lengths, 3) == [0, 1, 2]
    assert spread_places(lengths, 50) == [0, 1, 2, 3, 4]


def test_a_tokenizer_to_be_taken_over_is_no_stand_in(inputs: Inputs, tmp_path: Path, task_rows: Path) -> None:
    base = family_checkpoint("gpt2", tmp_path / "base")
    config = inputs.params.train_tokenizer.model_copy(update={"imported": str(base)})
    taken = replace(inputs, params=inputs.params.model_copy(update={"train_tokenizer": config}))
    folder = taken.tokenizer_folder([task_rows])
    assert taken.made_up == []
    assert load_tokenizer(folder).pad_token == "[PAD]"
    assert taken.tokenizer_folder([]) == folder
