"""What the sections of params.yaml have in common: frozen, strict models, whose classes stand beside their users.

A default stands in params.yaml and nowhere else, so no field has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, field_validator, model_validator

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A section of params.yaml: frozen, strict, no unknown keys, no number that is not finite."""

    # Deferred: nearly always one class checks, that of the whole params.yaml, and builds what it needs of the others.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Variant(Section):
    """A section whose fields go by one of them: `pretrain.objective` by `name`, `tasks.NAME` by `kind`.

    `called`: what a message calls it.
    """

    called: ClassVar[str] = ""

    @field_validator("name", check_fields=False)
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in cls.variants():
            raise ValueError(f"no {cls.called} {name!r:.100}; known: {', '.join(cls.variants())}")
        return name

    @classmethod
    def discriminator(cls) -> str:
        """The field that decides."""
        return "name"

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        """Values of that field -> the classes of their sections."""
        return {}

    @classmethod
    def variant(cls, value: object) -> type[Self]:
        """The class of sections in which that field has this value; this one where there is no such."""
        return cast(type[Self], cls.variants().get(value, cls) if isinstance(value, str) else cls)

    def __new__(cls, **given: Any) -> Self:
        """Of the class that the fields ask for, where somebody writes them down in Python."""
        chosen = cls.variant(given[cls.discriminator()]) if cls.discriminator() in given else cls
        return super().__new__(chosen if issubclass(chosen, cls) else cls)

    @model_validator(mode="wrap")
    @classmethod
    def _by_its_class(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        chosen = cls.variant(given.get(cls.discriminator())) if isinstance(given, Mapping) else cls
        return handler(given) if issubclass(cls, chosen) else chosen.model_validate(given)


class BootstrapConfig(Section):
    """Intervals by resampling the rows (Efron 1979), at `confidence`."""

    bootstrap_samples: Annotated[int, Field(ge=100)]
    confidence: Fraction


class MaxLossConfig(Section):
    """max_loss: the most that a model may lose of its task's first metric to the one it was made from."""

    max_loss: Share
