from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.text import Text

from components.artifacts import write_json
from components.evaluation.speed_page import PICTURE, ladder_figure, write_speed_page
from components.tasks.metrics import MacroF1, Pearson

TIMES = {"p50": 1.0, "p95": 1.5, "p99": 2.0, "rows_per_second": 900.0}
MACRO_F1 = MacroF1(3)
SCORES = {"int8": {"macro_f1": 0.8123, "macro_f1_low": 0.79, "macro_f1_high": 0.83}}


def found() -> dict[str, Any]:
    ladder = ["fp32", "int8", "int8_static"]
    return {
        "task": "topic & more",
        "ladder": ladder,
        "released": True,
        "systems": {name: {"batch_1": {"p50": 1.0, "p95": 2.0}} for name in ("teacher", "student", "fp32", "int8")},
        "shipped": "int8",
        "shipped_because": "it is 1.50 times as fast as fp32",
        "target": {"batch": 1, "min_speedup": 1.0, "rounds": 100, "confidence": 0.95},
        "verdicts": {
            "fp32": {"accepted": True, "reason": "it is the top of the ladder"},
            "int8": {
                "accepted": True,
                "above": "fp32",
                "speed_up": 1.5,
                "speed_up_low": 1.4,
                "speed_up_high": 1.6,
                "reason": "it is 1.50 times as fast as fp32",
            },
            "int8_static": {
                "accepted": False,
                "above": "int8",
                "speed_up": 0.9,
                "speed_up_low": 0.8,
                "speed_up_high": 1.0,
                "reason": "it is only 0.90 <times>",
            },
        },
        "speed": {name: {"batch_1_full": TIMES} for name in [*ladder, "openvino"]},
        "megabytes": dict.fromkeys(ladder, 1.5),
        "memory_megabytes": {**dict.fromkeys(ladder, 12.0), "openvino": None},
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "instructions": ["avx2"],
            "system": "Linux",
            "python": "3.11",
            "versions": {"numpy": "2"},
        },
    }


def test_read_back_from_its_numbers_the_page_is_the_same(tmp_path: Path) -> None:
    once = found()
    names = ("batch_1_short", "batch_1_full", "batch_8_short", "batch_8_full")
    times = {name: {share: value * place for share, value in TIMES.items()} for place, name in enumerate(names, 1)}
    once["speed"] = dict.fromkeys(("int8_static", "fp32", "int8", "openvino"), times)
    write_json(tmp_path / "speed.json", once)
    again = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    for folder, content in (("first", once), ("second", again)):
        write_speed_page(tmp_path / folder / "index.html", content, SCORES, {}, MACRO_F1)
    first, second = ((tmp_path / folder / "index.html").read_text(encoding="utf-8") for folder in ("first", "second"))
    assert first == second
    assert first.index("batch 1 short") < first.index("batch 1 full") < first.index("batch 8 short")


def test_the_page_tells_what_ships_what_was_refused_and_why(tmp_path: Path) -> None:
    write_speed_page(tmp_path / "speed" / "index.html", found(), SCORES, {"int2": "it loses 0.2 macro-F1"}, MACRO_F1)
    page = (tmp_path / "speed" / "index.html").read_text(encoding="utf-8")
    assert "topic &amp; more" in page
    assert "Released: ships <b>int8</b>: it is 1.50 times as fast as fp32." in page
    assert "refused: it is only 0.90 &lt;times&gt;" in page
    assert "refused: it loses 0.2 macro-F1" in page
    assert "<td>0.8123 (0.790 – 0.830)</td><td>1.50 × fp32 (1.40 – 1.60)</td>" in page
    assert "1.00 / 1.50 / 2.00; 900" in page
    assert "joules" not in page
    assert (tmp_path / "speed" / PICTURE).stat().st_size > 1000


def test_a_measurement_that_was_not_released_says_so(tmp_path: Path) -> None:
    write_speed_page(tmp_path / "index.html", found() | {"released": False, "systems": {}}, SCORES, {}, MACRO_F1)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Not released; a release on this machine would ship <b>int8</b>" in page
    assert "Beside the models in PyTorch" not in page


def test_energy_has_a_column_where_it_was_measured(tmp_path: Path) -> None:
    measured = found() | {"joules_per_1000_rows": dict.fromkeys(found()["speed"], 3.25)}
    write_speed_page(tmp_path / "index.html", measured, SCORES, {}, MACRO_F1)
    assert "<td>3.25</td>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_regression_is_shown_by_its_own_metric(tmp_path: Path) -> None:
    scores = {"int8": {"pearson": 0.9123, "pearson_low": 0.9, "pearson_high": 0.92}}
    write_speed_page(tmp_path / "index.html", found(), scores, {}, Pearson())
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Pearson correlation on test rows" in page
    assert "<td>0.9123 (0.900 – 0.920)</td>" in page
    assert "macro-F1" not in page


def test_the_picture_names_every_rung_with_its_quality_and_state() -> None:
    words = {text.get_text() for text in ladder_figure(found(), SCORES, MACRO_F1).findobj(Text)}  # type: ignore[attr-defined]
    assert {"fp32", "int8, shipped\nmacro-F1 0.812", "int8_static, refused"} <= words
