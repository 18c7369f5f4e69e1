from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from components.evaluation.page import write_page
from components.evaluation.rungs import RUNGS

SCORE = {"accuracy": 0.9, "macro_f1": 0.8123, "macro_f1_low": 0.79, "macro_f1_high": 0.83}


def test_the_page_holds_tables_and_pictures_and_escapes_labels(tmp_path: Path) -> None:
    metrics = {name: dict(SCORE) for name in RUNGS} | {
        "gain": {
            "pretraining": {"value": 0.02, "low": 0.01, "high": 0.03},
            "export": {"value": 0, "low": 0, "high": 0},
        },
        "agreement": {"student_teacher": 0.98},
        "size_megabytes": dict.fromkeys(RUNGS, 1.5),
        "test_rows": 1354,
    }
    label = {"<b>": {"precision": 1.0, "recall": 0.5, "f1": 0.667, "support": 12}}
    metrics["shipped"]["per_class"] = label  # type: ignore[assignment]
    latency = {name: {"batch_1": {"p50": 1.5, "p95": 2.5}} for name in RUNGS if name != "without_pretraining"}
    figures = {name: Figure() for name in ("macro_f1.png", "confusion.png", "latency.png")}
    write_page(tmp_path / "reports" / "index.html", "topic & more", RUNGS, metrics, latency, figures)
    page = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert "topic &amp; more: evaluation on 1,354 test rows" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("data:image/png;base64,") == 3
    assert "<td>+0.0200</td><td>+0.0100 … +0.0300</td><td>better</td>" in page
    assert "no difference shown" in page
    assert "http" not in page
