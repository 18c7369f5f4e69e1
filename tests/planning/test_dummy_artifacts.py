"""components.planning.dummy_artifacts: invented artifacts that the real readers take."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import read_manifest
from components.modeling.checkpoints import load_tokenizer
from components.params import Params
from components.planning import dummy_artifacts
from components.tasks.classification import Classification
from components.tasks.rows import read_split, read_task
from components.tokenization.reader import PackedTokens


def test_a_tokenizer_has_exactly_the_size_asked_for(tmp_path: Path) -> None:
    dummy_artifacts.tokenizer(tmp_path / "tokenizer", 700, ["the whale, the ship, the sea"] * 50)
    made = load_tokenizer(tmp_path / "tokenizer")
    assert len(made) == 700
    ids = made("the whale")["input_ids"]
    assert (ids[0], ids[-1]) == (made.cls_token_id, made.sep_token_id)
    assert len(ids) < 2 + len("the whale")
    assert None not in (made.mask_token_id, made.pad_token_id)


def test_tokens_are_packed_and_within_the_vocabulary(tmp_path: Path) -> None:
    dummy_artifacts.tokens(tmp_path / "tokens", 700, 64)
    for split in ("train", "validation"):
        packed = PackedTokens(tmp_path / "tokens", split)
        assert len(packed) >= 4 * 64
        assert packed.gather([0], 64).max() < 700  # type: ignore[arg-type]


def test_a_pretrained_model_and_a_teacher_have_the_configured_shape(
    params: Params, tokenizer_folder: Path, tmp_path: Path
) -> None:
    small = params.model_copy(update={"model": params.model.model_copy(update={"depth": 1, "width": None})})
    dummy_artifacts.pretrained(tmp_path / "pretrained", small, tokenizer_folder)
    dummy_artifacts.teacher(tmp_path / "teacher", Classification(("a", "b")), tmp_path / "pretrained")
    assert read_manifest(tmp_path / "pretrained", "pretrained")
    assert read_manifest(tmp_path / "teacher", "classifier")["labels"] == ["a", "b"]
    assert '"num_hidden_layers": 1' in (tmp_path / "teacher" / "config.json").read_text()


def test_chosen_rows_are_a_task_of_their_own(task_rows: Path, tmp_path: Path) -> None:
    dummy_artifacts.rows(tmp_path / "rows", task_rows, {"train": [3, 5], "validation": range(4)})
    task = read_task(tmp_path / "rows")
    every = read_split(task_rows / "train.jsonl", task)
    assert read_split(tmp_path / "rows" / "train.jsonl", task) == [every[3], every[5]]
    assert len(read_split(tmp_path / "rows" / "validation.jsonl", task)) == 4
