from __future__ import annotations

from pathlib import Path

import numpy as np

from components.modeling.checkpoints import load_tokenizer
from components.tasks.classification import Classification
from components.tasks.kinds import task_of
from components.tasks.task import Column

TASK = Classification(("field", "sea"))


def test_a_row_is_one_example_of_its_texts_tokens(tokenizer_folder: Path) -> None:
    rows = [{"text": "ship wave"}, {"text": "wheat " * 20}]
    short, long = TASK.encode(rows, load_tokenizer(tokenizer_folder), 8)
    assert (short.row, long.row) == (0, 1)
    assert (short.features["input_ids"][0], short.features["input_ids"][-1]) == (1, 2)
    assert len(long.features["input_ids"]) == 8


def test_scores_are_of_every_metric_the_one_that_decides_first() -> None:
    found = TASK.scores(np.array([0, 1]), np.array([0, 1]))
    assert found == {"macro_f1": 1, "accuracy": 1}
    assert next(iter(found)) == TASK.metrics[0].name


def test_a_task_is_made_again_from_what_a_manifest_says() -> None:
    assert TASK.manifest() == {"task_kind": "classification", "labels": ["field", "sea"]}
    assert Classification.from_manifest(TASK.manifest()) == TASK
    assert TASK.columns["label"] == Column.LABEL


def test_a_pair_has_a_second_text_and_the_type_of_each_token(tokenizer_folder: Path) -> None:
    task = task_of(TASK.manifest() | {"pair": True})
    assert task.texts == ("text", "text_pair")
    assert task_of(task.manifest()) == task
    row = task.row(("ship", "wave"), "sea")
    assert row == {"text": "ship", "text_pair": "wave", "label": "sea"}
    assert task.text(row) == ("ship", "wave")
    [found] = task.encode([row], load_tokenizer(tokenizer_folder), 8)
    ids, types = found.features["input_ids"], found.features["token_type_ids"]
    assert len(ids) == len(types)
    assert types[ids.index(2) :] == [0, *[1] * (len(ids) - ids.index(2) - 1)]
