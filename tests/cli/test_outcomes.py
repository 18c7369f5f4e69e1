"""cli.outcomes: what stages took, read back from a real store."""

from __future__ import annotations

from pathlib import Path

from cli.outcomes import latest, read_outcomes
from components import tracking
from components.params import Params


def test_outcomes_come_back_with_what_was_predicted(project: Path, params: Params) -> None:
    for seconds in (10.0, 12.0):
        sections = {"config": params.export, "task": params.tasks["topic"]}
        with tracking.stage_run("export", "topic", sections, {}) as run:
            run.log_result({"outcome": {"seconds": seconds}, "plan": {"seconds": 11.0}})
    with tracking.stage_run("curate", None, {}, {}):
        pass
    outcomes = read_outcomes()
    assert [outcome.took["seconds"] for outcome in outcomes] == [12.0, 10.0]
    last = latest(outcomes)["export@topic"]
    assert last.took == {"seconds": 12.0}
    assert last.predicted == {"seconds": 11.0}
    own = {"export": params.export, "tasks.topic": params.tasks["topic"]}
    assert last.under(own)
    assert not last.under({**own, "export": params.export.model_copy(update={"opset": 18})})


def test_without_a_store_there_are_none(project: Path) -> None:
    (project / "mlflow" / "mlflow.db").unlink()
    assert read_outcomes() == []
