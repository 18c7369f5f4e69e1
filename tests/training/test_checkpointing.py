"""Checkpoints: a training that was interrupted ends as one that was not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from components.artifacts import digest, read_manifest, write_manifest
from components.errors import Interrupted, LianziError
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.params import Params
from components.run import SYSTEM, Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.training.config import DistillConfig, FinetuneConfig, PretrainConfig
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.module import LanguageModule
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore
from tests.small_params import objective

TASK = TaskConfig(kind="classification", language="en", max_length=16)
NO_FEATURES = {"name": "hidden_states", "weight": 0.0}


@dataclass
class StoppedRun(RecordedRun):
    """A run that is asked to stop (SIGTERM) once `when` says so of a step and its metrics."""

    when: Callable[[int, Mapping[str, float]], bool] = lambda step, metrics: False
    asked: list[int] = field(default_factory=list)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        super().log_metrics(metrics, step)
        if not self.asked and self.when(step, metrics):
            self.asked.append(step)
            os.kill(os.getpid(), signal.SIGTERM)


def at(step: int, name: str = "loss") -> Callable[[int, Mapping[str, float]], bool]:
    """When a metric of a step is reported: `loss` after its training, `validation_loss` after its validation."""
    return lambda now, metrics: now == step and name in metrics


def told(run: RecordedRun) -> list[tuple[int, dict[str, float]]]:
    """What a run was told of steps, but for what the machine decides."""
    kept = [
        (step, {name: value for name, value in metrics.items() if not name.startswith(SYSTEM)})
        for step, metrics in run.steps
    ]
    return [(step, metrics) for step, metrics in kept if metrics]


class Stage:
    """A training stage on small artifacts, to be run with other runs and stores."""

    def __init__(self, params: Params, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.params, self.folder, self.patch = params, folder, monkeypatch
        self.trainer: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}

    def __call__(self, name: str, run: RecordedRun, store: CheckpointStore) -> Metrics:
        raise NotImplementedError

    def uninterrupted(self) -> tuple[Metrics, RecordedRun]:
        run = RecordedRun()
        return self("whole", run, CheckpointStore(self.folder / "store-of-the-whole")), run

    def interrupted(self, *stops: Callable[[int, Mapping[str, float]], bool]) -> tuple[Metrics, RecordedRun]:
        """Stopped at each of the moments, then run to its end."""
        store = CheckpointStore(self.folder / "store")
        for when in stops:
            run = StoppedRun(when=when)
            with pytest.raises(Interrupted, match="checkpoint at step"):
                self("parts", run, store)
            assert run.asked
            assert not (self.folder / "parts").exists()
        run = RecordedRun()
        return self("parts", run, store), run

    def check(self, *stops: Callable[[int, Mapping[str, float]], bool]) -> None:
        metrics, whole = self.uninterrupted()
        carried_on, parts = self.interrupted(*stops)
        assert carried_on == metrics
        assert told(parts) == told(whole)
        assert any("going on from step" in line for line in parts.lines)
        for artifact in self.outputs:
            assert digest(self.folder / "parts" / artifact) == digest(self.folder / "whole" / artifact)

    outputs: tuple[str, ...] = (".",)


class Pretraining(Stage):
    def __init__(self, *given: Any, tokens: Path, tokenizer: Path) -> None:
        super().__init__(*given)
        self.tokens, self.tokenizer = tokens, tokenizer

    def __call__(self, name: str, run: RecordedRun, store: CheckpointStore) -> Metrics:
        small = {
            "steps": 12,
            "batch_size": 4,
            "sequence_length": 16,
            "validate_every": 5,
            "validation_sequences": 8,
            "threads": 1,
            "init_from": None,
            "objective": objective("mlm"),
        }
        config = PretrainConfig.model_validate({**self.params.pretrain.model_dump(), **small, **self.changes})
        architecture = {"clm": "gpt2", "permutation_lm": "xlnet"}.get(config.objective.name, "modernbert")
        model = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 16})
        trainer = self.params.trainer.model_copy(update=self.trainer)
        return pretrain(config, model, trainer, 7, self.tokens, self.tokenizer, self.folder / name, store, run)


@pytest.fixture
def pretraining(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens_folder: Path, tokenizer_folder: Path
) -> Pretraining:
    return Pretraining(params, tmp_path, monkeypatch, tokens=tokens_folder, tokenizer=tokenizer_folder)


@pytest.mark.parametrize(
    ("optimizer", "average_decay", "accumulate"),
    [
        ("muon", 0.9, 2),
        pytest.param("adamw", 0.0, 1, marks=pytest.mark.slow),
        pytest.param("adamw", 0.9, 1, marks=pytest.mark.slow),
        pytest.param("adamw", 0.0, 2, marks=pytest.mark.slow),
        pytest.param("muon", 0.0, 1, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_pretraining_ends_as_one_that_was_not(
    pretraining: Pretraining, optimizer: str, average_decay: float, accumulate: int
) -> None:
    pretraining.changes = {"optimizer": optimizer, "average_decay": average_decay}
    pretraining.trainer = {"accumulate": accumulate}
    pretraining.check(at(3), at(8))


@pytest.mark.parametrize("name", ["nsp", "rtd", "permutation_lm", "simcse"])
def test_what_an_objective_trains_beside_the_model_goes_on_too(pretraining: Pretraining, name: str) -> None:
    pretraining.changes = {"objective": objective(name), "average_decay": 0.9}
    pretraining.check(at(3), at(8))


@pytest.mark.parametrize("average_decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
@pytest.mark.parametrize(
    "stop",
    [
        at(5),
        at(12, "validation_loss"),
        pytest.param(at(1), marks=pytest.mark.slow),
        pytest.param(at(10), marks=pytest.mark.slow),
        pytest.param(at(12), marks=pytest.mark.slow),
        pytest.param(at(5, "validation_loss"), marks=pytest.mark.slow),
        pytest.param(at(10, "validation_loss"), marks=pytest.mark.slow),
    ],
)
def test_a_pretraining_may_be_interrupted_around_a_validation(
    pretraining: Pretraining, stop: Callable[[int, Mapping[str, float]], bool], average_decay: float
) -> None:
    pretraining.changes = {"average_decay": average_decay}
    pretraining.check(stop)


@pytest.mark.slow
def test_a_pretraining_may_be_interrupted_again_and_again(pretraining: Pretraining) -> None:
    pretraining.changes = {"average_decay": 0.9, "optimizer": "muon"}
    pretraining.check(at(1), at(5), at(5, "validation_loss"), at(6), at(10), at(11), at(12))


@pytest.mark.parametrize("average_decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
@pytest.mark.parametrize("batch", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_pretraining_may_be_interrupted_within_a_validation(
    pretraining: Pretraining, monkeypatch: pytest.MonkeyPatch, average_decay: float, batch: int
) -> None:
    pretraining.changes = {"average_decay": average_decay}
    metrics, whole = pretraining.uninterrupted()
    seen = []
    validate = LanguageModule.validation_step

    def stop(module: LanguageModule, *arguments: Any) -> None:
        seen.append(module.step)
        if len(seen) == batch:
            os.kill(os.getpid(), signal.SIGTERM)
        validate(module, *arguments)

    store = CheckpointStore(pretraining.folder / "store")
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModule, "validation_step", stop)
        with pytest.raises(Interrupted, match="checkpoint at step"):
            pretraining("parts", RecordedRun(), store)
    run = RecordedRun()
    assert pretraining("parts", run, store) == metrics
    assert told(run) == told(whole)
    assert digest(pretraining.folder / "parts") == digest(pretraining.folder / "whole")


@pytest.mark.parametrize("average_decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_a_training_that_had_ended_gives_its_result_again(pretraining: Pretraining, average_decay: float) -> None:
    pretraining.changes = {"average_decay": average_decay}
    metrics, whole = pretraining.uninterrupted()
    store, again = CheckpointStore(pretraining.folder / "store-of-the-whole"), RecordedRun()
    assert pretraining("again", again, store) == metrics
    assert told(again) == told(whole)
    assert digest(pretraining.folder / "again") == digest(pretraining.folder / "whole")


@pytest.mark.slow
def test_checkpoints_at_every_step_change_nothing(pretraining: Pretraining, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, whole = pretraining.uninterrupted()
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    store, run = CheckpointStore(pretraining.folder / "store"), RecordedRun()
    assert pretraining("parts", run, store) == metrics
    assert told(run) == told(whole)
    assert sorted(path.name[:13] for path in store.folder.iterdir()) == ["step-00000011", "step-00000012"]


class Killed(BaseException):
    """What ends a process without asking."""


@pytest.mark.parametrize("step", [5, pytest.param(4, marks=pytest.mark.slow), pytest.param(9, marks=pytest.mark.slow)])
def test_a_killed_training_goes_on_from_its_last_checkpoint(
    pretraining: Pretraining, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    pretraining.changes = {"average_decay": 0.9}
    metrics, whole = pretraining.uninterrupted()
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    store = CheckpointStore(pretraining.folder / "store")

    class KilledRun(RecordedRun):
        def log_metrics(self, metrics: Mapping[str, float], now: int) -> None:
            if now == step and "loss" in metrics:
                raise Killed

    with pytest.raises(Killed):
        pretraining("parts", KilledRun(), store)
    run = RecordedRun()
    assert pretraining("parts", run, store) == metrics
    assert f"going on from step {step - 1} of 12" in run.lines[-1]
    assert told(run) == told(whole)
    assert digest(pretraining.folder / "parts") == digest(pretraining.folder / "whole")


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_steps_but_no_bit(pretraining: Pretraining, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, whole = pretraining.uninterrupted()
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    store = CheckpointStore(pretraining.folder / "store")
    with pytest.raises(Interrupted):
        pretraining("parts", StoppedRun(when=at(8)), store)
    damaged = max(store.folder.glob("step-*/weights.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    run = RecordedRun()
    assert pretraining("parts", run, store) == metrics
    assert "refused" in run.lines[0]
    assert "going on from step 7 of 12" in run.lines[1]
    assert told(run) == told(whole)


def test_a_broken_training_is_told_and_not_saved(pretraining: Pretraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    pretraining.changes = {"steps": 300, "validate_every": 300, "learning_rate": 1e30, "warmup_fraction": 0.0}
    store = CheckpointStore(pretraining.folder / "store")
    with pytest.raises(LianziError, match=r"at step \d+\n.*learning_rate"):
        pretraining("parts", RecordedRun(), store)


class Tuning(Stage):
    outputs = ("teacher",)

    def __init__(self, *given: Any, rows: Path, pretrained: Path) -> None:
        super().__init__(*given)
        self.rows, self.pretrained = rows, pretrained

    def __call__(self, name: str, run: RecordedRun, store: CheckpointStore) -> Metrics:
        small = {"epochs": 3, "min_steps": 1, "patience": 3, "batch_size": 32, "learning_rate": 3e-3, "dropout": 0.1}
        small |= {"threads": 1}
        config = FinetuneConfig.model_validate({**self.params.finetune.model_dump(), **small, **self.changes})
        trainer = self.params.trainer.model_copy(update=self.trainer)
        paths = self.rows, self.pretrained, self.folder / name / "teacher"
        return finetune(config, TASK, "places", trainer, 7, *paths, store, run)


@pytest.fixture
def tuning(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_rows: Path, tokenizer_folder: Path
) -> Tuning:
    folder = tmp_path / "pretrained"
    folder.mkdir()
    torch.manual_seed(3)
    section = ModelConfig.model_validate({"architecture": "modernbert", "depth": 1, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, folder)
    write_manifest(folder, "pretrained", {})
    return Tuning(params, tmp_path, monkeypatch, rows=task_rows, pretrained=folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "average_decay", "accumulate"), [("adamw", 0.0, 1), ("muon", 0.9, 2), ("adamw", 0.9, 1)]
)
def test_an_interrupted_finetuning_ends_as_one_that_was_not(
    tuning: Tuning, optimizer: str, average_decay: float, accumulate: int
) -> None:
    tuning.changes = {"optimizer": optimizer, "average_decay": average_decay, "seeds": [7, 8]}
    tuning.trainer = {"accumulate": accumulate}
    metrics, whole = tuning.uninterrupted()
    store = CheckpointStore(tuning.folder / "store")
    first = at(3, "teacher-7/loss"), at(5, "teacher-7/loss"), at(10, "teacher-7/validation_loss")
    for when in (*first, at(7, "teacher-8/loss")):
        with pytest.raises(Interrupted):
            tuning("parts", StoppedRun(when=when), store)
    run = RecordedRun()
    assert tuning("parts", run, store) == metrics
    assert told(run) == told(whole)
    for artifact in tuning.outputs:
        assert digest(tuning.folder / "parts" / artifact) == digest(tuning.folder / "whole" / artifact)


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": {"name": "lora", "rank": 4, "alpha": 8, "dropout": 0.1, "targets": None}, "layer_decay": 0.8},
        pytest.param({"adapter": {"name": "frozen"}, "average_decay": 0.9}, marks=pytest.mark.slow),
        pytest.param({"layer_decay": 0.8, "optimizer": "muon"}, marks=pytest.mark.slow),
    ],
    ids=["lora", "frozen", "layer decay"],
)
def test_every_adaptation_goes_on_bit_for_bit(tuning: Tuning, changes: dict[str, Any]) -> None:
    tuning.changes = {"epochs": 2, **changes}
    tuning.check(at(3), at(5))


@pytest.mark.slow
def test_patience_is_remembered(tuning: Tuning) -> None:
    tuning.changes = {"epochs": 12, "patience": 1, "learning_rate": 2e-2}
    metrics, whole = tuning.uninterrupted()
    store = CheckpointStore(tuning.folder / "store")
    epochs = sum("macro_f1" in values for _, values in whole.steps)
    assert epochs < 12
    for epoch in range(1, epochs):
        with pytest.raises(Interrupted):
            tuning("parts", StoppedRun(when=at(5 * epoch, "macro_f1")), store)
    run = RecordedRun()
    assert tuning("parts", run, store) == metrics
    assert told(run) == told(whole)


@pytest.mark.slow
def test_an_interruption_in_the_last_validation_of_the_first_of_two_trainings_is_heard(tuning: Tuning) -> None:
    tuning.changes = {"seeds": [7, 8]}
    metrics, whole = tuning.uninterrupted()
    store = CheckpointStore(tuning.folder / "store")
    run = StoppedRun(when=at(15, "teacher-7/validation_loss"))
    with pytest.raises(Interrupted):
        tuning("parts", run, store)
    assert not any("teacher-8/loss" in values for _, values in run.steps)
    again = RecordedRun()
    assert tuning("parts", again, store) == metrics
    assert told(again) == told(whole)


class Distillation(Stage):
    def __init__(self, *given: Any, rows: Path, teacher: Path) -> None:
        super().__init__(*given)
        self.rows, self.teacher = rows, teacher

    def __call__(self, name: str, run: RecordedRun, store: CheckpointStore) -> Metrics:
        small = {"epochs": 3, "min_steps": 1, "patience": 3, "batch_size": 32, "learning_rate": 3e-3, "dropout": 0.1}
        small |= {"threads": 1}
        config = DistillConfig.model_validate({**self.params.distill.model_dump(), **small, **self.changes})
        trainer = self.params.trainer.model_copy(update=self.trainer)
        target = self.folder / name
        return distill(config, TASK, "places", trainer, 7, self.rows, self.teacher, target, store, run)


@pytest.fixture
def distillation(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_rows: Path, tokenizer_folder: Path
) -> Distillation:
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    torch.manual_seed(3)
    section = ModelConfig.model_validate({"architecture": "modernbert", "depth": 2, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, teacher)
    labels = ("city", "field", "sea")
    save_checkpoint(random_classifier(teacher, labels, 0.0), tokenizer_folder, teacher)
    write_manifest(teacher, "classifier", {}, task="places", labels=list(labels), max_length=16)
    return Distillation(params, tmp_path, monkeypatch, rows=task_rows, teacher=teacher)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "average_decay", "accumulate"), [("adamw", 0.0, 1), ("muon", 0.9, 2)])
def test_an_interrupted_distillation_ends_as_one_that_was_not(
    distillation: Distillation, optimizer: str, average_decay: float, accumulate: int
) -> None:
    distillation.changes = {"optimizer": optimizer, "average_decay": average_decay}
    distillation.trainer = {"accumulate": accumulate}
    distillation.check(at(2), at(5), at(10, "validation_loss"), at(13))


def test_a_distillation_whose_students_are_refused_ends_as_one_that_was_not_interrupted(
    distillation: Distillation,
) -> None:
    """The teacher has learned from the labels alone; what it teaches at such a rate is nothing."""
    labels_alone = {"soft_weight": 0.0, "features": NO_FEATURES, "min_token_count": 0}
    distillation.changes = {**labels_alone, "epochs": 10, "depth_fraction": 1.0, "width_fraction": 1.0}
    assert distillation("learned", RecordedRun(), CheckpointStore(distillation.folder / "first"))["macro_f1"] > 0.5
    distillation.teacher = distillation.folder / "learned"
    distillation.changes = {"learning_rate": 0.5, "max_loss": 0.0, "epochs": 2}
    distillation.check(at(3), at(3, "halfway/loss"), at(10, "halfway/validation_loss"))
    assert read_manifest(distillation.folder / "parts", "classifier")["distillation"].count(" by 0.") == 2


def test_a_distillation_that_rounds_ends_as_one_that_was_not_interrupted(distillation: Distillation) -> None:
    distillation.changes = {"quantization_aware": 0.5, "ffn_fraction": 0.5, "min_token_count": 30}
    distillation.check(at(5), at(13))


@pytest.mark.parametrize("architecture", ["same", "bert"])
def test_a_distillation_by_relations_ends_as_one_that_was_not_interrupted(
    distillation: Distillation, architecture: str
) -> None:
    features = {"name": "attention_relations", "weight": 1.0, "relations": ["query-query", "value-value"], "heads": 1}
    distillation.changes = {"architecture": architecture, "features": features, "ffn_fraction": 1.0, "epochs": 2}
    distillation.check(at(5))
