from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.deployment.generation.card import model_card


@pytest.mark.parametrize(
    ("form", "tag", "call"),
    [
        ("decoder", "text-generation", "load_generator"),
        ("encoder_decoder", "text2text-generation", "load_generator"),
        ("embedding", "feature-extraction", "load_embedder"),
    ],
)
def test_the_card_says_what_it_is_how_good_and_how_to_use_it(
    form: str, tag: str, call: str, request: pytest.FixtureRequest
) -> None:
    bundle: Path = request.getfixturevalue(f"{form}_bundle")
    details = json.loads((bundle / "manifest.json").read_text())
    card = model_card(details)
    assert card == (bundle / "README.md").read_text()
    assert f"pipeline_tag: {tag}\n" in card
    assert call in card
    assert f"Candidate: **{details['candidate']}**" in card
    for rung in details["proof"]:
        assert f"| {rung} | {details['megabytes'][rung]:.2f} |" in card
