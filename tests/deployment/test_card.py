from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.artifacts import read_manifest
from components.deployment.card import model_card
from tests.small_ladder import LABELS, TASK, Ladder


def test_the_card_tells_labels_numbers_engines_and_limits(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.bundle, "bundle")
    card = (ladder.bundle / "README.md").read_text(encoding="utf-8")
    assert len(card) == len(model_card(manifest))
    assert all(f"`{label}`" in card for label in LABELS)
    for name, rung in manifest["quantization"].items():
        assert f"| {name} | {rung['megabytes']:.2f} | {rung['macro_f1']:.4f} |" in card
    assert f"first {TASK.max_length} tokens" in card
    for name, engine in manifest["engines"].items():
        assert f"| {name} | {engine['status']} |" in card
    for heading in ("Data and licences", "Engines", "How to use it", "Limits"):
        assert f"## {heading}" in card


def test_the_card_tells_what_became_of_the_students(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.bundle, "bundle") | {"distillation": "the teacher itself goes on as the student"}
    assert "Distillation: the teacher itself goes on as the student.\n" in model_card(manifest)


def test_the_card_begins_with_the_metadata_hubs_read(ladder: Ladder) -> None:
    lines = (ladder.bundle / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == lines[4] == "---"
    assert "language: en" in lines[1:4]


@pytest.mark.parametrize(
    ("form", "tag", "call"),
    [
        ("decoder", "text-generation", "load_generator"),
        ("encoder_decoder", "text2text-generation", "load_generator"),
        ("embedding", "feature-extraction", "load_embedder"),
    ],
)
def test_the_card_of_a_language_model_says_what_it_is_how_good_and_how_to_use_it(
    form: str, tag: str, call: str, request: pytest.FixtureRequest
) -> None:
    bundle: Path = request.getfixturevalue(f"{form}_bundle")
    details = json.loads((bundle / "manifest.json").read_text())
    card = model_card(details)
    assert card == (bundle / "README.md").read_text()
    assert f"pipeline_tag: {tag}\n" in card
    assert call in card
    assert f"Candidate for release: **{details['candidate']}**" in card
    for rung in details["proof"]:
        assert f"| {rung} | {details['megabytes'][rung]:.2f} |" in card
