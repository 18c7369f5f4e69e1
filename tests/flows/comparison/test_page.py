"""flows.comparison.page: the picture of quality against latency and size."""

from __future__ import annotations

from pathlib import Path

from components.evaluation.differences import Difference
from components.tasks.metrics import Accuracy
from flows.comparison.inputs import Differences
from flows.comparison.models import Comparison, Rung
from flows.comparison.page import front, write_comparison


def rung(name: str, score: float, milliseconds: float) -> Rung:
    return Rung(name, score, milliseconds, 1.0, default=False)


def test_the_front_leaves_out_what_another_rung_beats_in_both() -> None:
    fast, good, beaten = rung("fast", 0.8, 1.0), rung("good", 0.9, 2.0), rung("beaten", 0.85, 3.0)
    assert front([beaten, good, fast], "milliseconds", larger_is_better=True) == [fast, good]


def test_where_less_is_better_the_front_goes_down() -> None:
    fast, good, beaten = rung("fast", 30.0, 1.0), rung("good", 20.0, 2.0), rung("beaten", 25.0, 3.0)
    assert front([beaten, good, fast], "milliseconds", larger_is_better=False) == [fast, good]


def test_the_page_has_each_tested_difference_with_what_could_have_been_seen(tmp_path: Path) -> None:
    found = Difference("a", "b", Accuracy(), 100, 0.05, 0.01, -0.02, 0.04, 0.043, "McNemar", 0.5, 1.0, 2)
    names, rungs = ("a", "b"), ((rung("fp32", 0.9, 1.0),), (rung("fp32", 0.91, 1.0),))
    comparison = Comparison("topic", 100, Accuracy(), names, (found,), ("b beside a: no difference shown",), rungs)
    write_comparison(tmp_path / "page.html", names, Differences({}, {}, {}, {}), [comparison], [])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    cells = ["b", "a", "accuracy", "+0.010", "-0.020 to +0.040", "0.043", "McNemar", "0.5", "1"]
    assert "".join(f"<td>{cell}</td>" for cell in cells) in page
