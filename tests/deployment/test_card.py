from __future__ import annotations

from components.artifacts import read_manifest
from components.deployment.card import model_card
from tests.small_ladder import LABELS, TASK, Ladder


def test_the_card_tells_labels_numbers_engines_and_limits(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.bundle, "bundle")
    card = (ladder.bundle / "README.md").read_text(encoding="utf-8")
    assert len(card) == len(model_card(manifest, TASK))
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
    assert "Distillation: the teacher itself goes on as the student.\n" in model_card(manifest, TASK)


def test_the_card_begins_with_the_metadata_hubs_read(ladder: Ladder) -> None:
    lines = (ladder.bundle / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == lines[4] == "---"
    assert "language: en" in lines[1:4]
