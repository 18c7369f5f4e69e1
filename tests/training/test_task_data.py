from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from components.errors import ArtifactError, LianziError, ParameterError
from components.modeling.checkpoints import load_tokenizer, random_classifier
from components.modeling.heads import auto_model
from components.modeling.loading import random_model
from components.tasks.classification import Classification
from components.tasks.config import TaskConfig
from components.tasks.generation import PART, Generation
from components.tasks.relation_extraction import RelationExtraction
from components.tasks.retrieval import Retrieval
from components.tasks.rows import read_split, read_task
from components.tasks.task import NO_TARGET, Task
from components.tasks.token_classification import TokenClassification
from components.training import task_data
from components.training.task_data import RetrievalObjective, TaskData, TaskObjective, encode, training_texts

TASK = TaskConfig(kind="classification", language="en", max_length=10)
TAGGER = TokenClassification(("O", "B-SEA", "I-SEA"))


@pytest.fixture
def data(task_rows: Path, tokenizer_folder: Path) -> TaskData:
    return TaskData.read(task_rows, TASK, load_tokenizer(tokenizer_folder))


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


def test_the_summary_is_over_all_batches() -> None:
    objective = TaskObjective(Classification(("a", "b")), 0.1)
    right, wrong = torch.tensor([[9.0, -9.0]]), torch.tensor([[-9.0, 9.0]])
    target = torch.tensor([0])
    summary = objective.summary([(right, target), (wrong, target)])
    assert summary["accuracy"] == 0.5
    assert summary["validation_loss"] == pytest.approx(9.0, abs=1e-3)


def test_texts_longer_than_the_model_reads_are_refused(data: TaskData) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=330, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, max_position_embeddings=8
    )
    with pytest.raises(ParameterError, match=r"tasks.places.max_length 10 is longer"):
        data.check_length(BertForSequenceClassification(config), "places")


def test_a_folder_without_a_task_is_refused(tmp_path: Path, tokenizer_folder: Path) -> None:
    with pytest.raises(ArtifactError, match="no task here"):
        TaskData.read(tmp_path, TASK, load_tokenizer(tokenizer_folder))


@pytest.fixture
def tagged(data: TaskData, tokenizer_folder: Path) -> TaskData:
    rows = [
        {"text": "ship of wave", "tags": ["B-SEA", "O", "B-SEA"]},
        {"text": "tower", "tags": ["O"]},
        {"text": "harbour " * 20, "tags": ["B-SEA"] * 20},
    ]
    examples = encode(TAGGER, rows, load_tokenizer(tokenizer_folder), 10)
    return replace(data, task=TAGGER, train=examples, validation=examples)


def test_a_taggers_targets_are_padded_like_its_texts(tagged: TaskData) -> None:
    batch = tagged.batch(tagged.train, range(2))
    assert batch["targets"].shape == batch["input_ids"].shape
    assert (batch["targets"][batch["attention_mask"] == 0] == NO_TARGET).all()
    assert batch["count"] == (batch["targets"] != NO_TARGET).sum() == 4


def test_a_taggers_loss_is_the_mean_over_its_words_and_its_scores_have_cut_words_too(
    tagged: TaskData, tokenizer_folder: Path, tmp_path: Path
) -> None:
    from tests.small_tuning import pretrained_folder

    pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer_folder)
    torch.manual_seed(0)
    model = random_classifier(pretrained, TAGGER.labels, 0.0, TAGGER.head).eval()
    objective = TaskObjective(TAGGER)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 2.0, 0.0]))
        batches = [tagged.batch(tagged.validation, rows) for rows in (range(2), range(2, 3))]
        whole = tagged.batch(tagged.validation, range(3))
        found = objective.summary([objective.score(model, batch) for batch in batches])
        assert found["validation_loss"] == pytest.approx(objective.loss(model, whole).item(), rel=1e-5)
    read = int((tagged.train.places[2] >= 0).sum())
    assert read < 20
    # Of each text what is read is answered with B-SEA: 2 + read are right, 2 that are O are not, what is cut is O.
    assert found["token_accuracy"] == pytest.approx((2 + read) / 24)
    assert found["span_f1"] == pytest.approx(2 * (2 + read) / (22 + 4 + read))


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


@torch.no_grad()
def test_many_answers_to_find_among_are_read_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(**shape, vocab_size=20)
    model = random_model(auto_model("embedding", config), config).eval()
    lengths = torch.tensor([2, 5, 1, 3, 4])
    passages, mask = torch.randint(1, 20, (5, 5)), (torch.arange(5) < lengths[:, None]).long()
    asked = torch.ones(2, 1, 3, dtype=torch.long)
    batch = {"input_ids": asked, "attention_mask": asked, "targets": torch.zeros(2, dtype=torch.long)}
    objective = RetrievalObjective(Retrieval(("vector",), passages=("a", "b")))
    whole = objective.score(model, batch | {"passages": passages, "passages_mask": mask})[2]
    monkeypatch.setattr(task_data, "AT_ONCE", 2)
    parts = objective.score(model, batch | {"passages": passages, "passages_mask": mask})[2]
    assert torch.allclose(parts, whole, atol=1e-6)
    none = objective.score(model, batch | {"passages": passages[:0], "passages_mask": mask[:0]})[2]
    assert none.shape == (0, 16)
