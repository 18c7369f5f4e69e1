"""Multiple choice: how rows are read, encoded and answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.corpus.record import Record
from components.corpus.row_form import form_of
from components.errors import DataError
from components.modeling.checkpoints import load_tokenizer
from components.runtime.bundle import check_rows
from components.tasks.config import TaskConfig
from components.tasks.multiple_choice import MultipleChoice
from components.tasks.task import gathered
from components.training.task_data import TaskData, encode
from components.training.task_outputs import NEVER

TASK = MultipleChoice(("score",))
ROWS = [
    {"text": "which?", "choices": ["ship", "wave tower", "lamp"], "label": 2},
    {"text": "who?", "choices": ["sail", "wheat"], "label": 0},
]


def read(**fields: Any) -> Any:
    form = form_of(TaskConfig(kind="multiple_choice", language="en", max_length=16))
    found = form.read(Record(Path("train.jsonl"), 4, {"text": "which?", **fields}))
    assert found is not None
    return found[0], found[1](*found[0])


@pytest.mark.parametrize("label", [1, "1", "blue", "B", 1.0])
def test_the_right_choice_is_its_number_its_text_or_its_letter(label: Any) -> None:
    assert read(choices=["red", "blue"], label=label) == (("which?", "red", "blue"), 1)


def test_choices_of_numbers_are_taken_by_their_text_where_the_label_is_text() -> None:
    assert read(choices='["1", "2", "3"]', label="2")[1] == 1
    assert read(choices=["1", "2", "3"], label=2)[1] == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"choices": ["red"], "label": 0}, "'choices' has one choice\na row needs 2 or more"),
        ({"choices": "red, blue", "label": 0}, "'choices' is no list of texts"),
        ({"choices": ["red", 3], "label": 0}, "'choices' is no list of texts"),
        ({"choices": ["red", "blue"], "label": 2}, "label 2 is none of the 2 choices"),
        ({"choices": ["red", "blue"], "label": -1}, "label -1 is none of the 2 choices"),
        ({"choices": ["red", "blue"], "label": "ß"}, "label 'ß' is none of the 2 choices"),
        ({"label": 0}, "no 'choices'"),
    ],
)
def test_a_row_that_cannot_be_answered_is_named_by_its_line(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as error:
        read(**fields)
    assert f"train.jsonl:4: {told}" in str(error.value)


def test_each_choice_is_an_example_of_its_row(tokenizer_folder: Path) -> None:
    found = TASK.encode(ROWS, load_tokenizer(tokenizer_folder), 16)
    assert [example.row for example in found] == [0, 0, 0, 1, 1]
    assert all(set(example.features["token_type_ids"]) == {0, 1} for example in found)


def test_a_batch_has_all_choices_of_a_row_and_marks_those_that_are_not_there(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    examples = encode(TASK, ROWS, tokenizer, 16)
    data = TaskData(TASK, 16, torch.tensor([0, 1, 2, 3]), 0, 3, examples, examples, tokenizer)
    batch = data.batch(examples, range(2))
    assert batch["input_ids"].shape[:2] == (2, 3)
    assert batch["present"].tolist() == [[True, True, True], [True, True, False]]
    assert batch["attention_mask"][1, 2].sum() == 1
    assert batch["targets"].tolist() == [2, 0]


def test_a_choice_that_is_not_there_teaches_nothing() -> None:
    outputs = torch.tensor([[1.0, 2.0, NEVER]])
    expected = torch.nn.functional.cross_entropy(outputs[:, :2], torch.tensor([1]), reduction="sum")
    assert torch.isclose(TASK.loss(outputs, torch.tensor([1]), 0.1), expected)


def test_the_best_choice_of_a_row_is_the_answer() -> None:
    outputs = gathered(np.array([[0.1], [0.5], [0.2], [-3.0], [-2.0]]), [3, 2])
    assert TASK.decode(outputs).tolist() == [1, 1]
    assert outputs[1, 2] == -np.inf


def test_rows_are_mappings_or_texts_in_order() -> None:
    wanted = [("which?", "red", "blue")]
    for row in ({"text": "which?", "choices": ["red", "blue"]}, ("which?", ["red", "blue"]), wanted[0]):
        assert check_rows([row], TASK.texts, choices=True) == wanted
    with pytest.raises(DataError, match="row 0: no 'choices'"):
        check_rows([{"text": "which?"}], TASK.texts, choices=True)
    with pytest.raises(DataError, match="row 0"):
        check_rows([("which?", ["red"])], TASK.texts, choices=True)


def test_a_stored_row_is_checked() -> None:
    TASK.check_row(ROWS[0])
    for strange in ({"choices": ["red"]}, {"label": 3}, {"label": "a"}, {"label": True}):
        with pytest.raises(ValueError, match=r"label|choices"):
            TASK.check_row(ROWS[0] | strange)
