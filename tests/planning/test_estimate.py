"""components.planning.estimate: the formulas, against models that were really made and checkpoints really written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import ModelConfig
from components.params import Params
from components.planning import estimate
from components.resource_usage import size_of
from components.run import RecordedRun
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore

ARCHITECTURES = ["modernbert", "bert", "gpt2", "llama"]


def model(architecture: str, tokenizer: Path, depth: int = 2) -> Any:
    section = ModelConfig.model_validate(
        {"architecture": architecture, "depth": depth, "width": None, "max_length": 32}
    )
    return build_language_model(section, load_tokenizer(tokenizer), 16)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_without_memory_has_the_shape_of_a_real_one(architecture: str, tokenizer_folder: Path) -> None:
    real = model(architecture, tokenizer_folder)
    with torch.device("meta"):
        blank = model(architecture, tokenizer_folder)
    shape = estimate.shape_of(blank)
    assert shape == estimate.shape_of(real)
    assert shape.parameters == real.num_parameters()
    assert (shape.layers, shape.width, shape.vocabulary) == (2, 128, len(load_tokenizer(tokenizer_folder)))
    assert shape.matrices <= shape.in_layers <= shape.inside < shape.parameters


def test_flops_are_six_a_parameter_and_token_plus_attention_plus_head() -> None:
    shape = estimate.Shape(
        layers=2, width=10, vocabulary=100, parameters=5000, inside=3000, in_layers=2900, matrices=2800
    )
    assert estimate.training_flops(shape, 7, 5, 0) == 7 * (6 * 3000 + 12 * 2 * 10 * 5)
    with_head = estimate.training_flops(shape, 7, 5, 3)
    assert with_head - estimate.training_flops(shape, 7, 5, 0) == 3 * 6 * 10 * 100
    assert 3 * estimate.reading_flops(shape, 7, 5) == estimate.training_flops(shape, 7, 5, 0)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_has_the_predicted_size(
    params: Params, tokens_folder: Path, tokenizer_folder: Path, tmp_path: Path, optimizer: str
) -> None:
    few = {"steps": 2, "batch_size": 4, "sequence_length": 16, "validation_sequences": 4, "average_decay": 0.9}
    config = params.pretrain.model_copy(update={**few, "optimizer": optimizer, "threads": 1})
    section = ModelConfig.model_validate({"architecture": "modernbert", "depth": 2, "width": None, "max_length": 32})
    store = CheckpointStore(tmp_path / "store")
    inputs = tokens_folder, tokenizer_folder, tmp_path / "pretrained"
    pretrain(config, section, params.trainer, 7, *inputs, store, RecordedRun())
    shape = estimate.shape_of(model("modernbert", tokenizer_folder))
    predicted = estimate.checkpoint_bytes(shape, optimizer, averaged=True, best=False)
    assert size_of((tmp_path / "store").rglob("*.safetensors")) == pytest.approx(predicted, rel=0.05)


def test_recomputing_activations_and_narrower_numbers_need_less_memory() -> None:
    shape = estimate.Shape(
        layers=12,
        width=768,
        vocabulary=8192,
        parameters=90_000_000,
        inside=85_000_000,
        in_layers=85_000_000,
        matrices=1,
    )

    def needed(**changes: Any) -> estimate.Memory:
        usual: dict[str, Any] = {"narrow": False, "recomputed": False, "optimizer": "adamw", "others": 0}
        return estimate.memory(shape, 32, 512, **usual | changes)

    usual = needed()
    assert usual.fixed == estimate.LIBRARIES + 16 * shape.parameters
    assert 2 * needed(narrow=True).activations == usual.activations
    assert needed(recomputed=True).activations < usual.activations / 6
    assert needed(others=1000).fixed == usual.fixed + 4000
    assert usual.total == usual.fixed + usual.activations


def test_disk_holds_the_kept_checkpoints_one_more_and_results_twice() -> None:
    assert estimate.disk_bytes(100, 7) == 3 * 100 + 2 * 7
