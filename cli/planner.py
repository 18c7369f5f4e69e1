"""`lianzi plan`: predict the resources of each stage before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.outcomes import Outcome, latest, read_outcomes
from cli.profiling import Graph, profile_stage, scratch_folder
from cli.resource_check import check_fits, free_disk, free_memory
from components.artifacts import write_json
from components.params import Params, load_params
from components.resource_usage import MEGABYTE, PLAN, prediction_key, read_plan, size_of
from components.stages import TRAININGS
from flows.checks import check_inputs
from flows.forked_stages import forked_stages
from flows.graph import Stage, data_version, read_graph
from flows.recipes import Recipe, changed_keys, read_recipes
from flows.settings import check_checkpoint, check_data_there, what_if

_SAME = 0.02
"""Inputs whose size differs by less count as unchanged."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for a stage; None for unknown values, and for those without meaning. Memory and disk in bytes."""

    stage: str
    fresh: bool = False
    parameters: int | None = None
    tokens: int | None = None
    flops: float | None = None
    seconds: float | None = None
    memory: float | None = None
    gpu_memory: float | None = None
    disk: float | None = None
    made_up: tuple[str, ...] = ()
    note: str = ""

    def metrics(self) -> dict[str, float]:
        """The prediction for the stage's MLflow run, with the names of its outcome."""
        sizes = {"peak_memory_megabytes": self.memory, "peak_gpu_memory_megabytes": self.gpu_memory}
        found = {name: size / MEGABYTE for name, size in sizes.items() if size is not None}
        return found | ({} if self.seconds is None else {"seconds": self.seconds})


def make_plan(root: Path, settings: tuple[str, ...], say: Callable[[str], None]) -> list[Prediction]:
    """Predict every stage, and save the plan in PLAN for the runs to come. `say` gets the progress.

    Raises DoesNotFit where the run would need more memory or disk than is free.
    """
    params = what_if(root / "params.yaml", settings)
    recipes = read_recipes(root)
    stages = read_graph(root)
    check_data_there(root, stages)
    if told := data_version(root, stages):
        say(told)
    stale = stale_stages(stages, recipes, changed_keys(load_params(root / "params.yaml"), params))
    check_checkpoint(params, stale.get("pretrain", False))
    for line in check_inputs(root, params, [name for name, runs in stale.items() if runs]):
        say(line)
    known = latest(read_outcomes())
    profiled = any(runs and name.partition("@")[0] in TRAININGS for name, runs in stale.items())
    with forked_stages(root, needed=profiled, at_once=False), scratch_folder(root) as scratch:
        planner = Planner(root, params, recipes, stale, known, say, scratch)
        predictions = [planner.predict(stage) for stage in stale]
    _note({found.stage: (recipes[found.stage], found) for found in predictions if found.metrics()}, params)
    return predictions


def stale_stages(stages: Iterable[Stage], recipes: Mapping[str, Recipe], changed: set[str]) -> dict[str, bool]:
    """Stage -> whether it will run: DVC calls it stale, a changed parameter is its own, or a stage before it will
    run.
    """
    stale: dict[str, bool] = {}
    for stage in stages:
        recipe = recipes.get(stage.name)
        own = not stage.fresh or (recipe is not None and recipe.depends_on(changed))
        stale[stage.name] = own or any(stale[need] for need in stage.needs)
    return {name: stale[name] for name in stale if name in recipes}


class Planner:
    """Predicts stage after stage, in the order of the graph: results of the earlier are inputs of the later."""

    def __init__(
        self,
        root: Path,
        params: Params,
        recipes: dict[str, Recipe],
        stale: dict[str, bool],
        known: dict[str, Outcome],
        say: Callable[[str], None],
        scratch: Path,
    ) -> None:
        self.root, self.params, self.recipes, self.stale = root, params, recipes, stale
        self.known, self.say, self.scratch = known, say, scratch
        self._profiles: dict[str, dict[str, Any]] = {}
        self._sizes: dict[str, float] = {}
        self._connection: tuple[float, int] | None = None

    def predict(self, stage: str) -> Prediction:
        if not self.stale[stage]:
            return Prediction(stage, fresh=True)
        if stage == "pretrain" and self.params.pretrain.steps == 0:
            return Prediction(stage, note="takes the checkpoint as it is")
        if stage.startswith("train_from_scratch@") and not self.params.finetune.without_pretraining:
            return Prediction(stage, note="left out by finetune.without_pretraining")
        return self._profiled(stage) if stage.partition("@")[0] in TRAININGS else self._remembered(stage)

    def _profiled(self, stage: str) -> Prediction:
        same = self._same_training(stage)
        if same not in self._profiles:
            self._profiles[same] = self._profile(stage)
        found = self._profiles[same]
        outputs = [path for path in self.recipes[stage].writes if not path.startswith("metrics/")]
        self._sizes |= dict.fromkeys(outputs, found["results"] / len(outputs))
        measured = found["measured"]
        return Prediction(
            stage,
            parameters=found["parameters"],
            tokens=found["tokens"],
            flops=found["flops"],
            seconds=measured["seconds"],
            memory=measured["peak_memory"],
            gpu_memory=measured["peak_gpu_memory"] or None,
            disk=found["disk"],
            made_up=tuple(found["made_up"]),
            note="measured" if stage == "pretrain" else "measured, at most",
        )

    def _same_training(self, stage: str) -> str:
        """What a training is known by: the control from random weights takes what its teacher takes, where that is
        trained whole too.
        """
        name, _, task = stage.partition("@")
        config = self.params.finetune
        whole = config.adapter.name == "full" and config.layer_decay == 1.0
        return f"finetune@{task}" if name == "train_from_scratch" and whole else stage

    def _profile(self, stage: str) -> dict[str, Any]:
        """Try a stage. Raises DoesNotFit where it would not fit."""
        self.say(f"{stage}: measuring a few steps …")
        made_anew = {path for name, stale in self.stale.items() if stale for path in self.recipes[name].writes}
        memory, disk = free_memory(), free_disk(self.root)
        graph = Graph(self.params, self.recipes, frozenset(made_anew), self._connection, self.scratch)
        found = profile_stage(stage, graph, self.root)
        check_fits(stage, found, self.params, memory, disk)
        self._connection = found["measured"]["connection"]
        return found

    def _remembered(self, stage: str) -> Prediction:
        """Scale the stage's last run in proportion to its inputs."""
        last, recipe = self.known.get(stage), self.recipes[stage]
        if last is None:
            return Prediction(stage, note="not known yet")
        inputs = sum(self._size(path) for path in recipe.reads if not path.startswith("components/"))
        before = last.took.get("input_megabytes", 0.0) * MEGABYTE
        scale = inputs / before if inputs and before and abs(inputs / before - 1) > _SAME else 1.0
        same = last.under(recipe.sections(self.params))
        note = "as its last run" + ("" if same else ", under other parameters")
        outputs = [self.root / path for path in recipe.writes if not path.startswith("metrics/")]
        return Prediction(
            stage,
            seconds=scale * last.took["seconds"],
            memory=scale * last.took["peak_memory_megabytes"] * MEGABYTE,
            disk=2 * scale * size_of(outputs),
            note=note if scale == 1 else f"{note}, x {scale:.2f} for its inputs",
        )

    def _size(self, path: str) -> float:
        return self._sizes.get(path) or size_of([self.root / path])


def _note(found: dict[str, tuple[Recipe, Prediction]], params: Params) -> None:
    """Add predictions to PLAN, each under the key of its parameters."""
    plan = read_plan()
    for stage, (recipe, prediction) in found.items():
        plan.setdefault(stage, {})[prediction_key(recipe.sections(params))] = prediction.metrics()
    write_json(PLAN, plan)
