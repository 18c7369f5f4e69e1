"""components.analysis.card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from huggingface_hub import ModelCard

from components.analysis.card import write_card
from components.analysis.page import Told
from tests.analysis.test_page import told

BUNDLE = "---\nlanguage: en\n---\n\n# places: text classification\n\nA bert.\n"


def card_of(folder: Path, found: Told) -> str:
    (folder / "README.md").write_text(BUNDLE)
    write_card(folder / "card.md", replace(found, subject=replace(found.subject, bundle=folder)))
    return (folder / "card.md").read_text(encoding="utf-8")


def test_rows_and_labels_are_no_markup(tmp_path: Path) -> None:
    found = told()
    pair = found.confusions[0]
    example = pair.examples[0]._replace(text="<img> *x* [y](z)")
    card = card_of(tmp_path, replace(found, confusions=[pair._replace(expected="12. a_b_", examples=(example,))]))
    assert "- 12\\. a\\_b\\_ taken for sea: 2, as in “\\<img\\> \\*x\\* \\[y\\](z)”" in card


def test_the_card_claims_no_more_than_there_is(tmp_path: Path) -> None:
    found = told()
    card = card_of(tmp_path, replace(found, made={**found.made, "candidate": "fp32", "distillation": ""}))
    assert 'tags: ["classification", "bert", "onnx"]' in card
    assert "Pictures, slices and every error:" in card
    whole = {**found.made, "candidate": "int8", "distillation": "of one teacher"}
    card = card_of(tmp_path, replace(found, made=whole, mistakes=[*found.mistakes] * 200))
    assert '"onnx", "distillation", "quantization"]' in card
    assert "Pictures, slices and the worst 300 errors:" in card


def test_the_hub_reads_results_and_no_licence_from_the_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(BUNDLE)
    found = told()
    write_card(tmp_path / "card.md", replace(found, subject=replace(found.subject, bundle=tmp_path)))
    card = ModelCard.load(tmp_path / "card.md")
    assert (card.data.language, card.data.license, card.data.pipeline_tag) == ("en", None, "text-classification")
    f1, accuracy = card.data.eval_results
    assert (f1.metric_type, f1.metric_name, f1.metric_value, f1.dataset_split) == ("f1", "macro-F1", 0.5, "test")
    assert accuracy.metric_value == 0.25
    assert "# places: text classification\n\nA bert.\n" in card.text
    assert "- Worst at long texts: 0.1 below the others." in card.text
    assert "- city taken for sea: 2, as in “wave”" in card.text
