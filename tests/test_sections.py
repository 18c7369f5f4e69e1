"""components.sections."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from components.sections import BootstrapConfig, MaxLossConfig


def test_a_section_is_frozen_and_strict_and_knows_its_keys() -> None:
    section = MaxLossConfig(max_loss=0.1)
    with pytest.raises(ValidationError, match="frozen"):
        section.max_loss = 0.2  # type: ignore[misc]
    for wrong in ({"max_loss": "0.1"}, {"max_loss": 0.1, "more": 1}, {}, {"max_loss": 1.5}):
        with pytest.raises(ValidationError):
            MaxLossConfig.model_validate(wrong)


def test_an_interval_has_no_default() -> None:
    with pytest.raises(ValidationError, match="confidence"):
        BootstrapConfig.model_validate({"bootstrap_samples": 1000})
