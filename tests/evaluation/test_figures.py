from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.figures import (
    DEFAULT_FAMILY,
    confusion_figure,
    family_for,
    latency_figure,
    rungs_figure,
    scatter_figure,
)
from components.tasks.classification import Classification

TASK = Classification(("sea", "city"))
SCORE = {"macro_f1": 0.8, "macro_f1_low": 0.78, "macro_f1_high": 0.83}


def words(figure: object) -> set[str]:
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text)}  # type: ignore[attr-defined]


def test_every_rung_has_its_line_and_its_number() -> None:
    figure = rungs_figure({"baseline": SCORE, "candidate": {**SCORE, "macro_f1": 0.812}}, TASK)
    assert {"counting words (TF-IDF)", "candidate for release", "0.800", "0.812"} <= words(figure)


def test_the_confusion_matrix_shows_counts_and_labels() -> None:
    figure = confusion_figure(np.array([[7, 1], [0, 0]]), ["sea", "field"])
    assert {"sea", "field", "7", "1", "actual", "predicted"} <= words(figure)


def test_numbers_stand_beside_those_they_were_answered_with() -> None:
    assert {"actual", "predicted"} <= words(scatter_figure(np.array([1.0, 2.0]), np.array([1.5, 1.5])))


def test_latency_has_a_panel_a_batch_size() -> None:
    times = {"p50": 1.25, "p95": 2.0}
    figure = latency_figure({name: {"batch_1": times, "batch_8": times} for name in ("teacher", "onnx")})
    assert {"batch 1", "batch 8", " 1.25"} <= words(figure)


def test_latin_labels_take_the_default_font() -> None:
    assert family_for(["sea", "Ärger"]) == DEFAULT_FAMILY


def test_chinese_labels_take_a_font_that_has_them_or_the_default_one() -> None:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    family = family_for(["宋", "唐"])
    if family == DEFAULT_FAMILY:
        pytest.skip("no font here has Chinese characters")
    assert {ord("宋"), ord("唐")} <= set(FT2Font(font_manager.findfont(family)).get_charmap())


def test_labels_no_font_has_are_drawn_all_the_same(tmp_path: object) -> None:
    confusion_figure(np.eye(2, dtype=int), ["宋", "\U000f0000"]).savefig(f"{tmp_path}/confusion.png")
