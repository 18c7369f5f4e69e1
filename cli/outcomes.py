"""The measured resources of each stage's last run, and the prediction for it, from MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components import tracking
from components.params import flatten
from components.sections import Section

OUTCOME, PLAN = "outcome/", "plan/"
_RUNS = 500


@dataclass(frozen=True)
class Outcome:
    """One finished stage. Keys as in `components.resource_usage`; `predicted` is empty where there was no plan."""

    stage: str
    took: dict[str, float]
    predicted: dict[str, float]
    params: dict[str, str]

    def under(self, sections: Mapping[str, Section]) -> bool:
        """Whether the stage ran with these parameters."""
        flat = flatten({name: section.model_dump() for name, section in sections.items()})
        return all(self.params.get(_tracked(key)) == str(value) for key, value in flat.items())


def read_outcomes() -> list[Outcome]:
    """The outcomes in the tracking store, the latest first."""
    if not tracking.store_exists():
        return []
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs(
        [experiment.experiment_id],
        f"attributes.status = 'FINISHED' and metrics.`{OUTCOME}seconds` > 0",
        order_by=["attributes.end_time DESC"],
        max_results=_RUNS,
    )
    return [_outcome(run) for run in runs]


def latest(outcomes: list[Outcome]) -> dict[str, Outcome]:
    """Stage -> its last outcome."""
    return {outcome.stage: outcome for outcome in reversed(outcomes)}


def _outcome(run: Any) -> Outcome:
    took, predicted = (
        {name.removeprefix(prefix): value for name, value in run.data.metrics.items() if name.startswith(prefix)}
        for prefix in (OUTCOME, PLAN)
    )
    return Outcome(run.info.run_name, took, predicted, dict(run.data.params))


def _tracked(key: str) -> str:
    """A parameter's name in MLflow: a task's section is called `task` there."""
    parts = key.split(".")
    return ".".join(["task", *parts[2:]]) if parts[0] == "tasks" else key
