from __future__ import annotations

import base64
import re
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from components.evaluation.figures import confusion_figure
from components.evaluation.page import picture, write_page
from components.evaluation.rungs import RUNGS
from components.tasks.classification import Classification

TASK = Classification(("<b>", "a"))

ENDS = {"accuracy_low": 0.88, "accuracy_high": 0.92}
SCORE = ENDS | {"accuracy": 0.9, "macro_f1": 0.8123, "macro_f1_low": 0.79, "macro_f1_high": 0.83}

GAIN = {"value": -0.061, "low": -0.084, "high": -0.038}


def test_the_page_holds_tables_and_pictures_and_escapes_labels(tmp_path: Path) -> None:
    metrics = {name: dict(SCORE) for name in RUNGS} | {
        "gain": {
            "pretraining": {"value": 0.02, "low": 0.01, "high": 0.03},
            "export": {"value": 0, "low": 0, "high": 0},
        },
        "agreement": {"student_teacher": 0.98},
        "size_megabytes": dict.fromkeys(RUNGS, 1.5),
        "test_rows": 1354,
        "over_baseline": {name: {"macro_f1": GAIN, "accuracy": GAIN} for name in RUNGS[1:]},
    }
    label = {"<b>": {"precision": 1.0, "recall": 0.5, "f1": 0.667, "support": 12}}
    metrics["candidate"]["per_class"] = label  # type: ignore[assignment]
    figures = {name: Figure() for name in ("macro_f1", "confusion")}
    made = {"candidate": "int8", "quantization": {"fp32": {}, "int8": {"accepted": 1, "reason": "loses nothing"}}}
    made["distillation"] = "the teacher itself goes on as the student"
    write_page(
        tmp_path / "reports" / "index.html", "topic & more", made, RUNGS, metrics, figures, ["1 to 2 <words>"], TASK
    )
    page = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert "topic &amp; more: evaluation on 1,354 test rows" in page
    assert "&lt;b&gt;" in page
    assert "<b>int8</b>" in page
    assert "Distillation: the teacher itself goes on as the student." in page
    assert "<p>Its macro-F1 below counting words by 0.061 (-0.084 to -0.038), accuracy below" in page
    assert "Tuned on the validation rows: 1 to 2 &lt;words&gt;." in page
    assert "<td>0.8123</td><td>0.790 – 0.830</td><td>0.9000</td><td>0.880 – 0.920</td><td>1.50</td>" in page
    assert "<td>-0.061 (-0.084 to -0.038)</td>" in page
    assert "Refused rungs" not in page
    assert "no timings on this page" in page
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "<td>+0.0200</td><td>+0.0100 … +0.0300</td><td>better</td>" in page
    assert "no difference shown" in page
    assert "http" not in page


def drawn(labels: list[str]) -> str:
    found = re.search(r"base64,([^\"]+)", picture(confusion_figure(np.eye(2, dtype=int), labels), "a matrix"))
    assert found
    return base64.b64decode(found[1]).decode()


def test_a_picture_has_the_same_bytes_whenever_it_is_drawn_and_whichever_fonts_are_here() -> None:
    """Text stays text in the one font that matplotlib brings along; the reader's own font draws what that one lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = drawn(["宋詩", "唐詩"]), drawn(["宋詩", "唐詩"])
    assert one == other
    assert ">宋詩</text>" in one
    assert set(re.findall(r"font-family: ([^;\"]+)", one)) == {"'DejaVu Sans', 'Noto Sans CJK SC', sans-serif"}
    assert "dc:date" not in one
    assert "Matplotlib" not in one
