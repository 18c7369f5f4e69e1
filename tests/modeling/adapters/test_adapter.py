from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import ParameterError
from components.modeling.adapters import adapt
from components.modeling.checkpoints import load_classifier
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.training.config import AdapterConfig
from tests.small_checkpoints import small_checkpoint

LABELS = ("blue", "red")


def test_full_trains_every_weight(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = load_classifier(small_checkpoint("bert", tokenizer_folder, tmp_path / "bert"), LABELS, 0.0).model
    assert adapt(model, AdapterConfig(name="full"), "sequence") is None
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
@pytest.mark.parametrize("head", ["sequence", "tokens"])
def test_frozen_trains_what_the_language_model_lacks(
    architecture: str, head: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = small_checkpoint(architecture, tokenizer_folder, tmp_path / architecture)
    model = load_classifier(folder, LABELS, 0.0, head).model
    assert adapt(model, AdapterConfig(name="frozen"), head) is None
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    inside = {name for name in trained if name.startswith(f"{model.base_model_prefix}.")}
    assert all(".pooler." in name for name in inside)
    assert bool(inside) == (architecture == "bert" and head == "sequence")


def test_frozen_has_nothing_to_train_of_a_language_model(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("gpt2", tokenizer_folder, tmp_path / "gpt2")
    model = load_classifier(folder, ["token"], 0.0, "causal_lm").model
    with pytest.raises(ParameterError, match="frozen trains a new head alone, and this gpt2 gets none"):
        adapt(model, AdapterConfig(name="frozen"), "causal_lm")


def test_peft_is_imported_where_it_is_used_alone() -> None:
    program = "import sys; import components.training.finetune; assert 'peft' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
