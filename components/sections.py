"""What the sections of params.yaml have in common: frozen, strict models, whose classes stand beside their users.

A default stands in params.yaml and nowhere else, so no field has one.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A section of params.yaml: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class BootstrapConfig(Section):
    """Intervals by resampling the rows (Efron 1979), at `confidence`."""

    bootstrap_samples: Annotated[int, Field(ge=100)]
    confidence: Fraction


class MaxLossConfig(Section):
    """max_loss: the most that a model may lose of its task's first metric to the one it was made from."""

    max_loss: Share
