from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.finetuning import DATA, GOAL, Data, Spent, Turn, passed, ratio, recipe, taken_over, trained
from benchmarks.finetuning_recipes import RECIPES, NoneAtFirst
from components.params import Params
from components.tasks.question_answering import QuestionAnswering
from components.tasks.rows import read_split, read_task
from tests.small_families import FAMILIES, family_checkpoint
from tests.small_kinds import ROW_OF, small_rows

SHORT = {"question_answering": {"doc_stride": 4}}
"""Parameters of a kind that its small rows need."""


@pytest.mark.parametrize("kind", RECIPES)
def test_both_sides_learn_from_the_same_tokens_of_a_bert(kind: str, tmp_path: Path) -> None:
    tokenizer = FAMILIES["bert"].tokenizer()
    folder = small_rows(tmp_path / "rows", kind, ROW_OF[kind], **SHORT.get(kind, {}))
    task, rows = read_task(folder), read_split(folder / "test.jsonl", read_task(folder))
    theirs = RECIPES[kind].encode(task, rows, tokenizer, 24)
    if isinstance(task, QuestionAnswering):
        task = NoneAtFirst.from_manifest(task.manifest())
    ours = task.encode(rows, tokenizer, 24)
    assert [one["input_ids"] for one in theirs] == [one.features["input_ids"] for one in ours]
    targets = [learned(one) for one in theirs]
    assert targets == [target.tolist() for target in task.learned(rows, ours)]


def learned(features: dict[str, Any]) -> Any:
    """The target of a row, or of its tokens, or the two of a window."""
    if "start_positions" in features:
        return [features["start_positions"], features["end_positions"]]
    return features["labels"] if "labels" in features else features["label"]


@pytest.mark.parametrize("kind", RECIPES)
def test_both_sides_train_from_a_checkpoint_and_are_scored(
    kind: str, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        DATA, "small", Data("", {"kind": kind, "language": "en", "max_length": 24} | SHORT.get(kind, {}))
    )
    rows = small_rows(tmp_path / "rows", kind, ROW_OF[kind], **SHORT.get(kind, {}))
    pretrained = taken_over(params, family_checkpoint("bert", tmp_path / "bert"), tmp_path)
    config = recipe(params, threads=1).model_copy(update={"epochs": 2})
    for side in ("theirs", "ours"):
        found = trained(Turn(side, "small", config, 17, rows, pretrained, tmp_path / side))
        assert found.seconds > 0
        assert 0 <= found.score <= 1
        assert (tmp_path / side / "model.safetensors").is_file()


def test_a_ratio_has_an_interval_over_the_seeds_unless_there_is_one_alone() -> None:
    spent = {"theirs": [Spent(10, 20, 0.8), Spent(20, 40, 0.8)], "ours": [Spent(5, 10, 0.8), Spent(11, 20, 0.8)]}
    found = ratio(spent, "seconds")
    assert found["low"] < 0.5 < found["ratio"] < 0.55 < found["high"]
    assert ratio({side: one[:1] for side, one in spent.items()}, "cpu_seconds") == dict.fromkeys(found, 0.5)


@pytest.mark.parametrize(
    ("score", "wall", "fine"), [(0.80, GOAL, True), (0.70, 0.5, False), (0.79, 0.5, True), (0.80, 0.9, False)]
)
def test_ours_is_to_be_faster_and_no_worse_than_seeds_differ(score: float, wall: float, fine: bool) -> None:
    theirs, ours = ([{"score": middle - 0.01}, {"score": middle + 0.01}] for middle in (0.8, score))
    assert passed({"theirs": theirs, "ours": ours, "seconds": {"ratio": wall}}) == fine
