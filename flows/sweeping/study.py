"""The study of a sweep: Optuna's trials, kept in SQLite, so that a killed sweep goes on where it was."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ArtifactError
from flows.sweeping.spec import Choices, FloatRange, IntRange, SweepFile

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STATES = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


@dataclass(frozen=True)
class Trial:
    """value: of the objective; None unless it is done. outputs: path -> DVC's hash."""

    number: int
    state: str
    values: dict[str, Any]
    value: float | None
    seconds: float | None
    outputs: dict[str, str] = field(default_factory=dict)


class Study:
    """Trials asked for and told. One process at a time uses it."""

    def __init__(self, path: Path, spec: SweepFile) -> None:
        """Open the study, or begin it. Raises ArtifactError where its trials are of another search."""
        self.spec, self.path = spec, path
        self._study = _open(path, spec)
        asked = spec.model_dump(mode="json", include={"objective", "parameters", "seed"})
        known = self._study.user_attrs.get("asked")
        if known is not None and known != asked:
            changed = ", ".join(name for name in asked if asked[name] != known.get(name))
            raise ArtifactError(
                f"{path.parent.name}: {len(self._study.trials)} trials of another search are kept: {changed} changed",
                f"give the file another name, or remove {path.parent} to begin anew",
            )
        self._study.set_user_attr("asked", asked)
        if "key" not in self._study.user_attrs:
            self._study.set_user_attr("key", uuid.uuid4().hex)

    @property
    def key(self) -> str:
        """What no other study has, not one of the same name either: its runs in MLflow are found by it."""
        found: str = self._study.user_attrs["key"]
        return found

    def begin_with(self, values: Mapping[str, Any]) -> None:
        """Let the first trial have these values."""
        if not self._study.trials:
            self._study.enqueue_trial(dict(values))

    def interrupted(self) -> list[int]:
        """Trials that were running when their process was killed: they run again, with the same values."""
        return [trial.number for trial in self._study.trials if trial.state.name == "RUNNING"]

    def asked(self) -> int:
        """How many trials there are, those that still wait for their turn not counted."""
        return sum(trial.state.name != "WAITING" for trial in self._study.trials)

    def ask(self, number: int | None = None) -> tuple[int, dict[str, Any]]:
        """A new trial, or one that was interrupted: its number and its values.

        The sampler is seeded by the trial's number: a sweep that was killed asks for what it would have asked for.
        """
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=self.spec.seed + (self.asked() if number is None else number),
                n_startup_trials=min(10, max(self.spec.trials // 3, 1)),
                multivariate=True,
                constant_liar=self.spec.parallel > 1,
            )
        trial = self._study.ask() if number is None else self._trial(number)
        return trial.number, {name: _suggest(trial, name, one) for name, one in self.spec.parameters.items()}

    def note_outputs(self, number: int, outputs: Mapping[str, str]) -> None:
        self._trial(number).set_user_attr("outputs", json.dumps(outputs))

    def is_behind(self, number: int, points: Sequence[tuple[int, float]]) -> bool:
        """Report a curve, and say whether the pruner would stop the trial."""
        trial, known = self._trial(number), self._frozen(number).intermediate_values
        fresh = [(step, value) for step, value in points if step not in known]
        for step, value in fresh:
            trial.report(value, step)
        return bool(fresh) and trial.should_prune()

    def tell(self, number: int, value: float | None, state: str) -> None:
        """The end of a trial. state: done, pruned or failed."""
        from optuna.trial import TrialState

        name = next(key for key, told in STATES.items() if told == state)
        self._study.tell(number, value if state == "done" else None, state=TrialState[name])

    def trials(self) -> list[Trial]:
        return [_trial(trial) for trial in self._study.trials if trial.state.name != "WAITING"]

    def best(self) -> Trial | None:
        """The best trial that ran whole."""
        done = [trial for trial in self.trials() if trial.value is not None]
        sign = 1 if self.spec.objective.direction == "maximize" else -1
        return max(done, key=lambda trial: (sign * float(trial.value or 0), -trial.number), default=None)

    def importance(self) -> dict[str, float]:
        """Parameter -> its share of the objective's variance, by a forest over the trials (fANOVA, Hutter et al. 2014).

        Empty where too few trials, or all the same value, tell nothing.
        """
        import optuna

        done = [trial for trial in self.trials() if trial.value is not None]
        if len(done) < 4 or len({trial.value for trial in done}) < 2:
            return {}
        if len(self.spec.parameters) == 1:
            return dict.fromkeys(self.spec.parameters, 1.0)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.spec.seed)
        found: dict[str, float] = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return found

    def _trial(self, number: int) -> optuna.Trial:
        import optuna

        return optuna.Trial(self._study, self._frozen(number)._trial_id)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.trials[number]


def _open(path: Path, spec: SweepFile) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if spec.pruner is not None:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=spec.pruner.trials, n_warmup_steps=spec.pruner.step)
    return optuna.create_study(
        storage=f"sqlite:///{path.absolute()}",
        study_name=path.parent.name,
        direction=spec.objective.direction,
        pruner=pruner,
        load_if_exists=True,
    )


def _suggest(trial: optuna.Trial, name: str, wanted: FloatRange | IntRange | Choices) -> Any:
    if isinstance(wanted, FloatRange):
        return trial.suggest_float(name, wanted.low, wanted.high, log=wanted.log)
    if isinstance(wanted, IntRange):
        return trial.suggest_int(name, wanted.low, wanted.high, log=wanted.log)
    return trial.suggest_categorical(name, wanted.values)


def _trial(trial: FrozenTrial) -> Trial:
    state = STATES[trial.state.name]
    return Trial(
        trial.number,
        state,
        dict(trial.params),
        trial.value if state == "done" else None,
        trial.duration.total_seconds() if trial.duration else None,
        json.loads(trial.user_attrs.get("outputs", "{}")),
    )
