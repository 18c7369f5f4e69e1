"""The parameters that ship, with one of them changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import ParameterError
from components.modeling.config import ObjectiveConfig
from components.params import Params, check_params, read_yaml

ROOT = Path(__file__).parent.parent


def shipped(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """params.yaml as a mapping; `changes` by dotted names."""
    content = read_yaml(ROOT / "params.yaml")
    for name, value in (changes or {}).items():
        *sections, key = name.split(".")
        section = content
        for one in sections:
            section = section[one]
        section[key] = value
    return content


def checked(changes: dict[str, Any]) -> Params:
    return check_params(shipped(changes), "params.yaml")


def refused(changes: dict[str, Any]) -> str:
    """The message by which they are refused, a line or two."""
    with pytest.raises(ParameterError) as caught:
        checked(changes)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    return message


OTHERS = {
    "masking": "dynamic",
    "whole_word": False,
    "generator_depth": 0.5,
    "detection_weight": 50.0,
    "predicted_share": 0.25,
    "max_span_length": 3,
    "dropout": 0.1,
    "noise_density": 0.3,
    "mean_span_length": 3.0,
}
"""Of objectives that do not ship as the default."""


def objective(name: str, **changes: Any) -> ObjectiveConfig:
    """The section pretrain.objective of that name, with the values that ship where the shipped one has them."""
    kind = ObjectiveConfig.variant(name)
    values = {**OTHERS, **shipped()["pretrain"]["objective"], "name": name, **changes}
    return kind.model_validate({field: values[field] for field in kind.model_fields})
