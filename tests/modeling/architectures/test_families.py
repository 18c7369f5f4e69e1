from __future__ import annotations

import pytest

from components.modeling.architectures.families import gated_width, width_of
from components.modeling.config import ModelConfig


@pytest.mark.parametrize(("width", "gated"), [(64, 192), (128, 320), (768, 2048), (4096, 10944)])
def test_a_gated_block_has_about_the_weights_of_a_plain_one(width: int, gated: int) -> None:
    assert gated_width(width) == gated
    assert 3 * width * gated == pytest.approx(2 * width * 4 * width, rel=0.15)


def test_the_width_follows_the_depth_unless_it_is_set() -> None:
    section = ModelConfig(architecture="bert", depth=3, width=None, max_length=64)
    assert width_of(section) == 192
    assert width_of(section.model_copy(update={"width": 128})) == 128
