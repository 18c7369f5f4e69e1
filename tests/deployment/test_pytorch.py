from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.deployment.activations import Activation
from components.deployment.pytorch import head, layer_values, layers_run, load_model, parameters_run, torch_infer
from components.errors import ArtifactError
from tests.small_ladder import Ladder


def test_a_checkpoint_is_loaded_in_float32_without_dropout(ladder: Ladder) -> None:
    model = load_model(ladder.student)
    assert model.dtype == torch.float32
    assert not model.training


def test_logits_are_one_row_a_text_and_repeat(ladder: Ladder) -> None:
    infer = torch_infer(load_model(ladder.student))
    found = infer(BATCH)["logits"]
    assert found.shape == (2, 3)
    assert found.dtype == np.float32
    assert np.array_equal(found, infer(BATCH)["logits"])


def test_a_folder_that_is_no_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nothing: not a classifier"):
        load_model(tmp_path / "nothing")


BATCH = {"input_ids": np.array([[1, 9, 2], [1, 2, 0]]), "attention_mask": np.array([[1, 1, 1], [1, 1, 0]])}


def test_layers_come_in_the_order_in_which_they_run(ladder: Ladder) -> None:
    order = layers_run(load_model(ladder.student), BATCH)
    assert list(order)[:2] == ["model.embeddings.tok_embeddings", "model.embeddings.norm"]
    assert list(order)[-1] == "classifier"
    assert [name for name, weighted in order.items() if not weighted and ".mlp." in name] == ["model.layers.0.mlp.act"]
    assert "model.embeddings.drop" not in order


def test_what_goes_into_a_layer_and_what_comes_out_is_kept(ladder: Ladder) -> None:
    model = load_model(ladder.student)
    into, out = Activation("classifier", "input", "x"), Activation("classifier", "output", "y")
    answer = Activation("classifier", "answer", "logits")
    found = layer_values(model, BATCH, [into, out, answer])
    assert found[into].shape == (2, 64)
    assert np.array_equal(found[out], found[answer])
    assert np.array_equal(found[answer], torch_infer(model)(BATCH)["logits"])
    assert not any(module._forward_hooks for module in model.modules())


def test_parameters_are_those_of_the_layers_that_run(ladder: Ladder) -> None:
    model = load_model(ladder.student)
    found = parameters_run(model, BATCH)
    assert set(found) == {name for name, _ in model.named_parameters()}
    assert next(iter(found)) == "model.embeddings.tok_embeddings.weight"


def test_a_head_is_known_by_the_end_of_its_class() -> None:
    assert head("BertForTokenClassification").outputs == {"logits": ("batch", "length", "")}
    assert head("GPT2ForQuestionAnswering").outputs.keys() == {"start_logits", "end_logits"}
    with pytest.raises(ArtifactError, match="a checkpoint of T5ForConditionalGeneration has no head"):
        head("T5ForConditionalGeneration")
