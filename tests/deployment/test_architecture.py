from __future__ import annotations

from pathlib import Path

import pytest

from components.deployment.architecture import Architecture, look_at
from components.errors import ArtifactError
from tests.models_from_elsewhere import FAMILIES


def looked_at(name: str, form: str) -> Architecture:
    import transformers

    kind, fields = FAMILIES[name]
    return look_at(Path("model"), getattr(transformers, kind).config_class(**fields), form)


@pytest.mark.parametrize(
    ("name", "positions"),
    [("bert", 66), ("roberta", 62), ("xlm-roberta", 65), ("mpnet", 64), ("distilbert", 64), ("t5-encoder", None)],
)
def test_an_encoders_positions_are_those_that_tokens_take(name: str, positions: int | None) -> None:
    assert looked_at(name, "encoder") == Architecture(positions, 330)


@pytest.mark.parametrize("name", ["gemma2", "opt", "gpt-neox", "bloom"])
def test_a_decoder_with_a_cache_and_positions_of_its_rows_passes(name: str) -> None:
    assert looked_at(name, "decoder").rows == 330


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mamba", "a mamba keeps a state instead of keys and values"),
        ("mpt", "a mpt takes no position_ids"),
        ("falcon-alibi", "a falcon with alibi"),
    ],
)
def test_a_decoder_without_is_refused_in_two_lines(name: str, told: str) -> None:
    with pytest.raises(ArtifactError, match=told) as caught:
        looked_at(name, "decoder")
    assert len(str(caught.value).splitlines()) == 2
