"""components.modeling.objectives.pairs, by next sentence prediction and sentence order."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForPreTraining

from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.nsp import NextSentencePrediction
from components.modeling.objectives.objective import WHOLE, Batch
from components.modeling.objectives.pairs import SentencePairs
from components.modeling.objectives.sop import SentenceOrderPrediction

MASKED = MaskedLanguageModeling(vocab_size=100, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=0.15)
UNMASKED = MaskedLanguageModeling(vocab_size=100, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=1e-9)


def windows(count: int) -> torch.Tensor:
    """Each of one document; its tokens count upwards and say which window they are of."""
    return torch.arange(4, 19).repeat(count, 1) + 15 * torch.arange(count)[:, None]


def pairs(kind: type[SentencePairs], count: int, seed: int = 1) -> Batch:
    return kind(UNMASKED, 1, 2, 0).prepare(windows(count), torch.Generator().manual_seed(seed), WHOLE)


def test_half_of_the_second_segments_are_of_another_window() -> None:
    batch = pairs(NextSentencePrediction, 6)
    assert set(batch["labels"].tolist()) == {0, 1}
    for row, label in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        assert (row[0], row[6], row[12]) == (1, 2, 2)
        assert (row[7] == row[5] + 1) == (label == 0)
        assert ((row[7] - 4) // 15 == (row[5] - 4) // 15) == (label == 0)
    assert batch["token_type_ids"][0].tolist() == [0] * 7 + [1] * 6


def test_a_window_alone_is_followed_by_its_own() -> None:
    assert pairs(NextSentencePrediction, 1)["labels"].tolist() == [0]


def test_half_of_the_orders_are_swapped() -> None:
    batch = pairs(SentenceOrderPrediction, 6)
    assert set(batch["labels"].tolist()) == {0, 1}
    for row, label in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        assert (row[7] < row[5]) == (label == 1)


@pytest.mark.parametrize("kind", [NextSentencePrediction, SentenceOrderPrediction])
def test_the_loss_equals_that_of_transformers(kind: type[SentencePairs]) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, intermediate_size=32
    )
    model, objective = BertForPreTraining(config).eval(), kind(MASKED, 1, 2, 0)
    objective.attach(model)
    objective.pooler = model.bert.pooler.dense
    objective.classifier = model.cls.seq_relationship
    batch = objective.prepare(windows(6), torch.Generator().manual_seed(3), WHOLE)
    labels = torch.full((batch["input_ids"].numel(),), -100)
    labels[batch["positions"]] = batch["targets"]
    given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    expected = model(**given, labels=labels.view(6, -1), next_sentence_label=batch["labels"]).loss
    torch.testing.assert_close(objective.loss(model, batch), expected)
    assert torch.equal(objective.beside()["pooler.dense.weight"], model.bert.pooler.dense.weight)


def test_the_summary_has_the_pairs_own_accuracy() -> None:
    scores = [(torch.tensor([1.0, 3.0]), torch.tensor([0.5, 0.7]), torch.tensor([True, False]))]
    found = NextSentencePrediction(MASKED, 1, 2, 0).summary(scores)
    assert found["validation_loss"] == 2.0
    assert found["validation_next_sentence"] == pytest.approx(0.6)
    assert found["validation_next_sentence_accuracy"] == 0.5
