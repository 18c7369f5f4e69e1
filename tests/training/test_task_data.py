from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from components.errors import ArtifactError, LianziError, ParameterError
from components.modeling.checkpoints import load_tokenizer
from components.tasks.classification import Classification
from components.tasks.generation import PART, Generation
from components.tasks.relation_extraction import RelationExtraction
from components.tasks.rows import read_split, read_task
from components.tasks.task import NO_TARGET, Task
from components.training.task_data import TaskData, encode, training_texts
from tests.training.conftest import TASK


def test_texts_are_cut_at_max_length_and_end_with_the_separator(data: TaskData) -> None:
    assert max(data.train.lengths) == 10
    assert all(ids[0] == 1 and ids[-1] == 2 for ids in data.train.ids)
    assert data.task == Classification(("city", "field", "sea"))


def test_the_training_texts_are_those_of_the_rows(task_rows: Path) -> None:
    rows = read_split(task_rows / "train.jsonl", read_task(task_rows))
    assert training_texts(task_rows) == [row["text"] for row in rows]


def test_a_batch_is_padded_to_its_longest_text(data: TaskData) -> None:
    samples = range(8)
    batch = data.batch(data.train, samples)
    lengths = [data.train.lengths[index] for index in samples]
    assert batch["input_ids"].shape == (8, max(lengths))
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert batch["tokens"] == sum(lengths)
    assert torch.equal(batch["input_ids"] == 0, batch["attention_mask"] == 0)


def test_hidden_tokens_are_never_special_ones(data: TaskData) -> None:
    batch = data.batch(data.train, range(100))
    hidden = data.hide_tokens(batch, 0.3, torch.Generator().manual_seed(0))["input_ids"]
    changed = hidden != batch["input_ids"]
    assert (hidden[changed] == 3).all()
    assert (batch["input_ids"][changed] > 3).all()
    ordinary = (batch["input_ids"] > 3).sum()
    assert changed.sum() / ordinary == pytest.approx(0.3, abs=0.05)


def test_texts_longer_than_the_model_reads_are_refused(data: TaskData) -> None:
    from transformers import BertForSequenceClassification

    config = BertConfig(
        vocab_size=330, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, max_position_embeddings=8
    )
    with pytest.raises(ParameterError, match=r"tasks.places.max_length 10 is longer"):
        data.check_length(BertForSequenceClassification(config), "places")


def test_a_folder_without_a_task_is_refused(tmp_path: Path, tokenizer_folder: Path) -> None:
    with pytest.raises(ArtifactError, match="no task here"):
        TaskData.read(tmp_path, TASK, load_tokenizer(tokenizer_folder))


def test_a_taggers_targets_are_padded_like_its_texts(tagged: TaskData) -> None:
    batch = tagged.batch(tagged.train, range(2))
    assert batch["targets"].shape == batch["input_ids"].shape
    assert (batch["targets"][batch["attention_mask"] == 0] == NO_TARGET).all()
    assert batch["count"] == (batch["targets"] != NO_TARGET).sum() == 4


@pytest.mark.parametrize(
    ("task", "short", "long"),
    [
        (RelationExtraction(("in", "none")), "[E1] Accra [/E1] in [E2] Ghana [/E2]", "the sea " * 9),
        (Generation(("token",)), f"the sea{PART}is wide", "the sea " * 9),
    ],
)
def test_rows_that_are_cut_before_their_answer_are_counted(
    task: Task, short: str, long: str, data: TaskData, tokenizer_folder: Path
) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    tokenizer.add_tokens(list(task.marks), special_tokens=True)

    def read(*texts: str) -> TaskData:
        rows = [{"text": text, "label": "in"} for text in texts]
        return replace(data, task=task, tokenizer=tokenizer, train=encode(task, rows, tokenizer, 24), max_length=24)

    assert read(short).check_cut("asked") == 0
    assert read(short, long + short).check_cut("asked") == 1
    told = (
        r"tasks\.asked\.max_length 24: every training row is cut before its \[E1\]|no row has an answer among its first"
    )
    with pytest.raises(LianziError, match=told):
        read(long + short).check_cut("asked")
