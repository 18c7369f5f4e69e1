from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from components.errors import ParameterError
from components.modeling.adapters import adapt
from components.modeling.adapters.lora import check_lora, linear_layers
from components.modeling.checkpoints import load_classifier
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK, ArchitectureName
from components.training.config import AdapterConfig, LoraConfig
from tests.small_checkpoints import small_checkpoint


def lora(**changes: Any) -> AdapterConfig:
    return AdapterConfig.model_validate(
        {"name": "lora", "rank": 2, "alpha": 4, "dropout": 0.0, "targets": None, **changes}
    )


def classifier(architecture: str, tokenizer: Path, folder: Path, head: str = "sequence") -> Any:
    made = small_checkpoint(architecture, tokenizer, folder / architecture, depth=2)
    return load_classifier(made, ("blue", "red") if head == "sequence" else ("token",), 0.0, head).model.eval()


@pytest.mark.parametrize(
    ("architecture", "head"),
    [*((name, "sequence") for name in FROM_SCRATCH if name in ONE_STACK), ("gpt2", "causal_lm")],
)
def test_merged_it_answers_as_beside_the_layers_and_has_the_form_it_had(
    architecture: str, head: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    model = classifier(architecture, tokenizer_folder, tmp_path, head)
    ids = torch.randint(4, 30, (3, 8))
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    before, layers = model(ids).logits, len(linear_layers(model))
    torch.manual_seed(1)
    merge = adapt(model, lora(), head)
    assert merge is not None
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    beside = [name for name in trained if "lora_" in name]
    assert len(beside) == 2 * layers
    assert all(name.startswith(f"{model.base_model_prefix}.") for name in beside)
    assert bool(trained.keys() - {*beside}) == (head == "sequence")
    assert torch.equal(model(ids).logits, before)  # it begins as no change at all
    for name in beside:
        torch.nn.init.normal_(trained[name], std=0.3)
    adapted = model(ids).logits
    assert not torch.allclose(adapted, before, atol=1e-3)
    merge()
    torch.testing.assert_close(model(ids).logits, adapted, atol=1e-4, rtol=1e-4)
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == shapes


def test_layers_are_chosen_by_their_names(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = classifier("bert", tokenizer_folder, tmp_path)
    adapt(model, lora(targets=["query", "attention.output.dense"]), "sequence")
    adapted = {name.partition(".lora_")[0] for name, _ in model.named_parameters() if ".lora_" in name}
    assert adapted == {
        f"bert.encoder.layer.{number}.attention.{name}" for number in (0, 1) for name in ("self.query", "output.dense")
    }


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = classifier("gpt2", tokenizer_folder, tmp_path)
    with pytest.raises(ParameterError) as refusal:
        adapt(model, lora(targets=["c_attn", "q_proj"]), "sequence")
    assert str(refusal.value).splitlines() == [
        "finetune.adapter.targets: a gpt2 has no linear layer 'q_proj'",
        "it has attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj",
    ]


def test_a_rank_that_is_not_low_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = classifier("bert", tokenizer_folder, tmp_path)
    width = model.config.hidden_size
    with pytest.raises(ParameterError, match=rf"adapter\.rank {width + 1}: \S+ of this bert is {width} wide"):
        adapt(model, lora(rank=width + 1), "sequence")


@pytest.mark.parametrize("architecture", FROM_SCRATCH)
def test_what_an_adapter_stands_on_is_known_before_there_is_a_model(architecture: ArchitectureName) -> None:
    shape = ModelConfig(architecture=architecture, depth=2, width=None, max_length=32)
    check_lora(shape, LoraConfig.model_validate(lora().model_dump()))
    with pytest.raises(ParameterError, match="has no linear layer 'nothing'"):
        check_lora(shape, LoraConfig.model_validate(lora(targets=["nothing"]).model_dump()))
