"""flows.sweeping.page: the trials in order, and pictures that stand in the page."""

from __future__ import annotations

from pathlib import Path

from flows.sweeping.page import ranked, write_sweep
from flows.sweeping.spec import Choices, FloatRange, Objective, SweepFile
from flows.sweeping.study import Trial

SPEC = SweepFile(
    objective=Objective(file="m.json", metric="m", direction="maximize"),
    parameters={
        "rate": FloatRange(type="float", low=0.01, high=1.0, log=True),
        "name": Choices(type="choice", values=["x", None]),
    },
    trials=3,
    seed=1,
)
TRIALS = [
    Trial(0, "done", {"rate": 0.1, "name": "x"}, 0.5, 2.0),
    Trial(1, "pruned", {"rate": 0.5, "name": None}, None, 1.0),
    Trial(2, "done", {"rate": 1.0, "name": None}, 0.7, 2.0),
]


def test_the_best_stands_first_and_what_was_pruned_last(tmp_path: Path) -> None:
    assert [trial.number for trial in ranked(TRIALS, SPEC)] == [2, 0, 1]
    path = tmp_path / "index.html"
    write_sweep(path, "search", SPEC, TRIALS, TRIALS[2], {"rate": 0.8, "name": 0.2})
    page = path.read_text(encoding="utf-8")
    assert "Best: trial 2, 0.7." in page
    assert page.count("data:image/svg+xml;base64,") == 2
    assert 'src="http' not in page
