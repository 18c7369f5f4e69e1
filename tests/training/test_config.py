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
        ("pretrain.objective", "mml", "pretrain.objective: input should be 'mlm', 'contrastive' or 'clm', not 'mml'"),
        ("finetune.dropout", 1.5, "finetune.dropout: input should be less than or equal to 1, not 1.5"),
        ("finetune.seeds", [17, 17], "finetune.seeds: a seed is named twice"),
        ("finetune.label_fraction", 0.0, "finetune.label_fraction: input should be greater than 0, not 0.0"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: Any, told: str) -> None:
    assert told in refused({name: value})
