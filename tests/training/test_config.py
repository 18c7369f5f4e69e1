"""components.training.config."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_params import refused


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("pretrain.stepz", 3, "pretrain.stepz: unknown parameter\ndid you mean 'steps'?"),
        ("pretrain.steps", -1, "pretrain.steps: input should be greater than or equal to 0, not -1"),
        ("pretrain.steps", 0, "pretrain: steps: 0 takes the checkpoint of init_from as it is, but init_from is null"),
        ("pretrain.steps", "many", "pretrain.steps: input should be a valid integer, not 'many'"),
        ("finetune.dropout", 1.5, "finetune.dropout: input should be less than or equal to 1, not 1.5"),
        ("finetune.seeds", [17, 17], "finetune.seeds: a seed is named twice"),
        ("finetune.label_fraction", 0.0, "finetune.label_fraction: input should be greater than 0, not 0.0"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: Any, told: str) -> None:
    assert told in refused({name: value})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "contrastive",
            "{name: contrastive, mask_probability: 0.2, temperature: 0.1, contrast_weight: 2.0}, and remove ",
        ),
        ("mlm", "write objective: {name: mlm, mask_probability: 0.2, masking: …, whole_word: …}, and remove mask_"),
        ("clm", "write objective: {name: clm}, and remove mask_probability, temperature, contrast_weight beside it"),
        ("mml", "pretrain.objective.name: no objective 'mml'; known: mlm, nsp, sop, "),
    ],
)
def test_an_objective_of_the_old_form_is_refused_with_the_new_one(name: str, told: str) -> None:
    """It was a name, with the parameters of all objectives beside it."""
    beside = {"mask_probability": 0.2, "temperature": 0.1, "contrast_weight": 2.0}
    message = refused({"pretrain.objective": name, **{f"pretrain.{key}": value for key, value in beside.items()}})
    assert told in message
    assert len(message.splitlines()) == 1
