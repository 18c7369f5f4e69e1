"""The shape of the language model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.modeling.kinds import ArchitectureName
from components.sections import Section

HEAD_WIDTH = 64
"""Numbers of a token that one attention head reads."""


class ModelConfig(Section):
    """One dial: `depth` layers, 64 x depth wide unless `width` says otherwise, one attention head per 64.

    Of a checkpoint the architecture alone counts, which is its own.
    """

    architecture: ArchitectureName
    depth: Annotated[int, Field(ge=1, le=96)]
    width: Annotated[int, Field(ge=HEAD_WIDTH, le=8192, multiple_of=HEAD_WIDTH)] | None
    max_length: Annotated[int, Field(ge=8)]
