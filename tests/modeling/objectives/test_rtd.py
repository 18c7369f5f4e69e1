"""components.modeling.objectives.rtd: ELECTRA's generator and what the model makes of its answers."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE
from components.modeling.objectives.rtd import ReplacedTokenDetection, samples

MASKED = MaskedLanguageModeling(vocab_size=100, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=0.3)
IDS = torch.randint(4, 100, (6, 24), generator=torch.Generator().manual_seed(1))


def electra() -> ElectraForMaskedLM:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "embedding_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return ElectraForMaskedLM(ElectraConfig(vocab_size=100, intermediate_size=32, **shape, **dropouts))


def attached(model: ElectraForMaskedLM) -> ReplacedTokenDetection:
    objective = ReplacedTokenDetection(MASKED, 0.5, 50.0)
    objective.attach(model)
    return objective


def test_tokens_are_drawn_by_the_generators_probabilities() -> None:
    head = torch.nn.Linear(1, 3, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.5], [0.3], [0.2]]).log())
    drawn = samples(torch.ones(5, 1), head, torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81]))
    assert drawn.tolist() == [0, 0, 1, 1, 2]


def test_both_losses_equal_those_of_transformers() -> None:
    model = electra()
    objective = attached(model)
    batch = objective.prepare(IDS, torch.Generator().manual_seed(2), WHOLE)
    labels = torch.full((IDS.numel(),), -100)
    labels[batch["positions"]] = batch["targets"]
    hidden = IDS.where(labels.view(IDS.shape) == -100, torch.tensor(3))
    assert torch.equal(batch["input_ids"], hidden)
    guessed = objective.generator(hidden, labels=labels.view(IDS.shape)).loss

    sampled = samples(objective.guesses(batch), objective.generator.generator_lm_head, batch["draws"])
    shown = IDS.flatten().index_copy(0, batch["positions"], sampled).view(IDS.shape)
    detector = ElectraForPreTraining(model.config).eval()
    detector.electra.load_state_dict(model.electra.state_dict())
    detector.discriminator_predictions.dense.load_state_dict(objective.head[0].state_dict())
    detector.discriminator_predictions.dense_prediction.load_state_dict(objective.head[2].state_dict())
    detected = detector(shown, labels=(shown != IDS).long()).loss
    torch.testing.assert_close(objective.loss(model, batch), guessed + 50 * detected)


def test_the_generator_has_fewer_layers_and_the_models_own_embeddings() -> None:
    model = electra()
    objective = attached(model)
    assert objective.generator.config.num_hidden_layers == 1
    assert objective.generator.get_input_embeddings().weight is model.get_input_embeddings().weight
    assert objective.generator.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert not model.generator_predictions.dense.weight.requires_grad
    assert objective.result(model) is model.electra


def test_a_validation_draws_the_same_whatever_was_drawn_before_it() -> None:
    model = electra().eval()
    objective = attached(model).eval()
    batch = objective.prepare(IDS, torch.Generator().manual_seed(2), WHOLE)
    first = objective.score(model, batch)
    torch.rand(7)
    assert all(torch.equal(one, other) for one, other in zip(first, objective.score(model, batch), strict=True))


def test_the_summary_of_a_case_by_hand() -> None:
    """Four tokens, two of them replaced, one of which is found, and one that was not is taken for it."""
    replaced, found = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    summary = attached(electra()).summary([(torch.tensor([1.0, 3.0]), torch.full((4,), math.log(2)), replaced, found)])
    assert summary["validation_loss"] == 2.0
    assert summary["validation_detection"] == pytest.approx(math.log(2))
    assert summary["validation_replaced"] == summary["validation_detection_f1"] == 0.5
