"""benchmarks.report: one form for every benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import Figure, median_round, paired_steps, recorded

ROOT = Path(__file__).parent.parent.parent


def test_a_result_holds_ours_peer_ratio_goal_and_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    report.report("speed", {"a run": Figure(2.0, 5.0, "s", goal=2.0)}, ("rich",), "seconds")
    content = json.loads((tmp_path / "speed.json").read_text())
    assert content["figures"]["a run"] == {"ours": 2.0, "peer": 5.0, "ratio": 2.5, "goal": 2.0, "unit": "s"}
    assert content["machine"]["cores"] >= 1
    assert content["versions"]["rich"]


def test_a_figure_of_several_rounds_tells_the_lowest_and_the_highest_ratio() -> None:
    assert Figure(2.0, 5.0, "s", rounds=(2.0, 3.0)).row()["rounds"] == [2.0, 3.0]
    assert "rounds" not in Figure(2.0, 5.0, "s").row()


def test_of_rounds_in_turn_the_one_with_the_median_ratio_stands_for_all() -> None:
    figure = median_round([1.0, 2.0, 4.0], [3.0, 10.0, 8.0], "s", goal=2.0)
    assert (figure.ours, figure.peer, figure.ratio) == (1.0, 3.0, 3.0)
    assert figure.rounds == (2.0, 5.0)
    assert figure.goal == 2.0


def test_steps_in_turn_are_told_by_our_median_and_the_median_of_their_ratios() -> None:
    figure = paired_steps([0.1, 0.2, 0.3], [0.2, 0.2, 0.9])
    assert (figure.ours, figure.ratio) == pytest.approx((200, 2))
    assert figure.rounds == pytest.approx((1, 3))


def test_figures_that_were_written_are_read_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    assert recorded("speed") == {}
    figures = {"a run": Figure(2.0, 5.0, "s", goal=2.0, rounds=(2.0, 3.0)), "a walk": Figure(1.0, 1.0, "s")}
    report.report("speed", figures, ("rich",), "seconds")
    assert recorded("speed") == figures


def test_every_committed_result_has_that_form() -> None:
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert results
    for path in results:
        content = json.loads(path.read_text())
        assert content["machine"]["cores"] >= 1
        # What is compared with nothing but itself (kills, plans) has no figures with a peer.
        for figure in content.get("figures", {}).values():
            assert set(figure) - {"rounds"} == {"ours", "peer", "ratio", "goal", "unit"}
            assert figure["ratio"] == pytest.approx(figure["peer"] / figure["ours"], rel=1e-3)
