"""components.modeling.config."""

from __future__ import annotations

from tests.small_params import checked, refused


def test_a_width_is_made_of_whole_heads() -> None:
    assert "model.width: input should be a multiple of 64, not 100" in refused({"model.width": 100})
    assert checked({"model.width": None}).model.width is None


def test_an_architecture_is_one_that_is_known() -> None:
    assert "model.architecture: input should be 'modernbert', 'bert', " in refused({"model.architecture": "bart"})
