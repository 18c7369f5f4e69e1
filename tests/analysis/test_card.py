"""components.analysis.card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from huggingface_hub import ModelCard

from components.analysis.card import write_card
from tests.analysis.test_page import told

BUNDLE = "---\nlanguage: en\n---\n\n# places: text classification\n\nA bert.\n"


def test_the_hub_reads_results_and_licence_from_the_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(BUNDLE)
    found = told()
    write_card(tmp_path / "card.md", replace(found, subject=replace(found.subject, bundle=tmp_path)))
    card = ModelCard.load(tmp_path / "card.md")
    assert (card.data.language, card.data.license, card.data.pipeline_tag) == ("en", "mit", "text-classification")
    f1, accuracy = card.data.eval_results
    assert (f1.metric_type, f1.metric_name, f1.metric_value, f1.dataset_split) == ("f1", "macro-F1", 0.5, "test")
    assert accuracy.metric_value == 0.25
    assert "# places: text classification\n\nA bert.\n" in card.text
    assert "- Worst at long texts: 0.1 below the others." in card.text
    assert "- city taken for sea: 2, as in “wave”" in card.text
