"""flows.sweeping.study: trials kept in SQLite; opened again, it asks for what it would have asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ArtifactError
from flows.sweeping.spec import FloatRange, Objective, SweepFile
from flows.sweeping.study import Study

SPEC = SweepFile(
    objective=Objective(file="m.json", metric="m", direction="minimize"),
    parameters={"a": FloatRange(type="float", low=0.0, high=1.0), "b": FloatRange(type="float", low=0.0, high=1.0)},
    trials=6,
    seed=3,
)


def run_trials(path: Path, reopen: bool) -> list[dict[str, float]]:
    study = Study(path, SPEC)
    for _ in range(SPEC.trials):
        if reopen:
            study = Study(path, SPEC)
        number, values = study.ask()
        if reopen:  # killed while it ran
            study = Study(path, SPEC)
            assert study.interrupted() == [number]
            assert study.ask(number) == (number, values)
        study.tell(number, (values["a"] - 0.3) ** 2, "done")
    return [trial.values for trial in study.trials()]


def test_killed_at_every_trial_it_asks_for_the_same_values(tmp_path: Path) -> None:
    assert run_trials(tmp_path / "one" / "study.db", False) == run_trials(tmp_path / "two" / "study.db", True)


def test_the_best_is_the_smallest_and_the_parameter_that_decides_is_important(tmp_path: Path) -> None:
    run_trials(tmp_path / "one" / "study.db", False)
    study = Study(tmp_path / "one" / "study.db", SPEC)
    best = study.best()
    assert best is not None
    assert best.value == min(trial.value for trial in study.trials() if trial.value is not None)
    assert next(iter(study.importance())) == "a"


def test_another_search_under_the_same_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one" / "study.db"
    Study(path, SPEC)
    Study(path, SPEC.model_copy(update={"trials": 9}))
    with pytest.raises(ArtifactError, match="trials of another search are kept: seed changed"):
        Study(path, SPEC.model_copy(update={"seed": 4}))


def test_a_trial_behind_the_median_of_the_others_is_stopped(tmp_path: Path) -> None:
    from flows.sweeping.spec import Pruner

    spec = SPEC.model_copy(update={"pruner": Pruner(curve="loss", trials=2, step=1)})
    study = Study(tmp_path / "one" / "study.db", spec)
    for loss in (0.1, 0.2):
        number, _ = study.ask()
        assert not study.is_behind(number, [(1, loss), (2, loss)])
        study.tell(number, loss, "done")
    number, _ = study.ask()
    assert study.is_behind(number, [(1, 0.9), (2, 0.9)])
    study.tell(number, None, "pruned")
    assert study.trials()[2].state == "pruned"
