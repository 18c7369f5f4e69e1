"""Parameters of the language model: its shape, and the objective that it is pretrained by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from components.modeling.kinds import ArchitectureName
from components.sections import Count, Fraction, Rate, Section, Variant

HEAD_DIM = 64
"""Numbers of a token that one attention head reads."""


class ModelConfig(Section):
    """One dial: `depth` layers, 64 x depth wide unless `width` says otherwise, one attention head per 64.

    Of a checkpoint the architecture alone counts, which is its own.
    """

    architecture: ArchitectureName
    depth: Annotated[int, Field(ge=1, le=96)]
    width: Annotated[int, Field(ge=HEAD_DIM, le=8192, multiple_of=HEAD_DIM)] | None
    max_length: Annotated[int, Field(ge=8)]


class ObjectiveConfig(Variant):
    """A pretraining objective by its name, and the parameters that it alone has."""

    called = "objective"

    name: str

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        return OBJECTIVES


class MaskedConfig(ObjectiveConfig):
    """Masked language modelling; mask_probability: share of the tokens that are hidden."""

    mask_probability: Fraction


class MlmConfig(MaskedConfig):
    """masking: anew each time a passage is read, or always alike; whole_word: all tokens of a word or none."""

    masking: Literal["dynamic", "static"]
    whole_word: bool


class ReplacedTokenConfig(MaskedConfig):
    """A generator guesses hidden tokens, the model tells which were replaced. generator_depth: of the model's layers,
    rounded up; detection_weight: of the model's loss, beside the generator's."""

    generator_depth: Annotated[float, Field(gt=0, le=1)]
    detection_weight: Rate


class PermutationConfig(ObjectiveConfig):
    """predicted_share: of the tokens, the last ones of a random order; max_span_length: tokens of a span of them."""

    predicted_share: Fraction
    max_span_length: Count


class SimCseConfig(ObjectiveConfig):
    """A text read twice finds itself. temperature: of the similarity; dropout: what makes the two readings differ."""

    temperature: Rate
    dropout: Fraction


class ContrastiveConfig(MaskedConfig):
    """Two views of a document find each other. temperature: of their similarity; contrast_weight: of that loss, beside
    the one of the hidden tokens."""

    temperature: Rate
    contrast_weight: Annotated[float, Field(ge=0)]


class DenoisingConfig(ObjectiveConfig):
    """Hidden spans of text are written anew. noise_density: share of the tokens in them; mean_span_length: tokens of a
    span, on average."""

    noise_density: Fraction
    mean_span_length: Annotated[float, Field(ge=1)]


OBJECTIVES: Mapping[str, type[ObjectiveConfig]] = {
    "mlm": MlmConfig,
    "nsp": MaskedConfig,
    "sop": MaskedConfig,
    "rtd": ReplacedTokenConfig,
    "permutation_lm": PermutationConfig,
    "simcse": SimCseConfig,
    "contrastive": ContrastiveConfig,
    "clm": ObjectiveConfig,
    "span_corruption": DenoisingConfig,
    "text_infilling": DenoisingConfig,
}
"""objectives/NAME.py -> its parameters."""
