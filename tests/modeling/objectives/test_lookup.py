from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import ParameterError
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import OBJECTIVES, ContrastiveConfig
from components.modeling.kinds import ARCHITECTURES
from components.modeling.objectives.contrastive import ContrastiveLanguageModeling
from components.modeling.objectives.lookup import build_objective, check_objective, fitting_objectives
from components.params import Params

ENCODERS = ["mlm", "nsp", "sop", "rtd", "simcse", "contrastive"]


def test_the_objective_of_params_yaml_is_built(params: Params, tokenizer_folder: Path) -> None:
    built = build_objective(load_tokenizer(tokenizer_folder), params.pretrain)
    assert isinstance(built, ContrastiveLanguageModeling)
    assert isinstance(params.pretrain.objective, ContrastiveConfig)
    assert built.temperature == params.pretrain.objective.temperature


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_learns_by_the_objectives_of_its_language_model(name: str) -> None:
    assert fitting_objectives(name) in (ENCODERS, ["clm"], ["permutation_lm"], ["span_corruption", "text_infilling"])
    for objective in fitting_objectives(name):
        check_objective(name, objective)


@pytest.mark.parametrize(
    ("architecture", "objective", "hint"),
    [
        (
            "gpt2",
            "mlm",
            "set pretrain.objective.name to clm, or model.architecture to modernbert or bert or roberta or electra",
        ),
        (
            "llama",
            "contrastive",
            "set pretrain.objective.name to clm, or model.architecture to modernbert or bert or roberta or electra",
        ),
        ("bert", "clm", "or model.architecture to gpt2 or llama or qwen2 or qwen3 or glm"),
        (
            "t5",
            "clm",
            "or model.architecture to gpt2 or llama or qwen2 or qwen3 or glm",
        ),
    ],
)
def test_an_objective_that_does_not_fit_says_which_does(architecture: str, objective: str, hint: str) -> None:
    with pytest.raises(ParameterError, match=f"{objective} does not fit model.architecture {architecture}") as caught:
        check_objective(architecture, objective)
    assert caught.value.hint.endswith(hint)


def test_no_objective_is_imported_before_it_is_asked_for() -> None:
    told = "import sys; from components.modeling.objectives import lookup; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", told], text=True).split()
    assert not {f"components.modeling.objectives.{name}" for name in OBJECTIVES} & set(loaded)
