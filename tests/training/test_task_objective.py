"""A task's loss and metrics, over batches as over the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from components.modeling.checkpoints import random_classifier
from components.modeling.heads import auto_model
from components.modeling.loading import random_model
from components.tasks.classification import Classification
from components.tasks.retrieval import Retrieval
from components.training import task_objective
from components.training.task_data import TaskData
from components.training.task_objective import RetrievalObjective, TaskObjective
from tests.training.conftest import TAGGER


def test_the_summary_is_over_all_batches() -> None:
    objective = TaskObjective(Classification(("a", "b")), 0.1)
    right, wrong = torch.tensor([[9.0, -9.0]]), torch.tensor([[-9.0, 9.0]])
    target = torch.tensor([0])
    summary = objective.summary([(right, target), (wrong, target)])
    assert summary["accuracy"] == 0.5
    assert summary["validation_loss"] == pytest.approx(9.0, abs=1e-3)


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
    monkeypatch.setattr(task_objective, "AT_ONCE", 2)
    parts = objective.score(model, batch | {"passages": passages, "passages_mask": mask})[2]
    assert torch.allclose(parts, whole, atol=1e-6)
    none = objective.score(model, batch | {"passages": passages[:0], "passages_mask": mask[:0]})[2]
    assert none.shape == (0, 16)
