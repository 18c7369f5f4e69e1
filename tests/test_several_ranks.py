"""Two processes train as one does, with gloo on the CPU, and a training goes on with another number of them."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.settings import change_params
from tests.preloaded import preloaded
from tests.small_trainings import environment, remove_outputs, small_training_project, words
from tests.small_tuning import pretrained_folder

pytestmark = pytest.mark.slow
BASE = ("pretrain.steps=40", "pretrain.precision=fp32", "pretrain.average_decay=0.5")
ONE = ("trainer.devices=1",)
COPIED = ("trainer.devices=2", "trainer.strategy=ddp")
DIVIDED = ("trainer.devices=2", "trainer.strategy=fsdp")
ACCUMULATED = (*ONE, "trainer.accumulate=2", "trainer.checkpoint_activations=true")

XLNET = (
    "model.architecture=xlnet",
    "pretrain.objective={name: permutation_lm, predicted_share: 0.17, max_span_length: 5}",
    "distill.width_fraction=1.0",
    "finetune.epochs=1",
    "finetune.without_pretraining=false",
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """The curves of a training by one process."""
    folder = small_training_project(tmp_path_factory.mktemp("alone") / "project", BASE)
    return trained(folder, ONE)


def trained(folder: Path, settings: tuple[str, ...]) -> list[dict[str, float]]:
    process = start(folder, settings)
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    return curves(folder)


def start(
    folder: Path, settings: tuple[str, ...], module: Sequence[str] = ("components",), stage: str = "pretrain"
) -> subprocess.Popen[str]:
    change_params(folder / "params.yaml", settings)
    remove_outputs(stage, folder)
    command = [sys.executable, "-m", *module, *words(stage)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment() | preloaded(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def curves(folder: Path) -> list[dict[str, float]]:
    with (folder / "pretrain.csv").open() as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


def test_every_division_of_the_work_has_the_same_losses_and_goes_on_where_another_stopped(
    alone: list[dict[str, float]], tmp_path: Path
) -> None:
    folder = small_training_project(tmp_path / "project", BASE)
    for settings in (COPIED, ONE, DIVIDED):
        # Two checkpoints of each: several processes agree on one every few steps, one makes it after every step.
        process = start(folder, settings, ("tests.stopping", "SIGTERM", "2"))
        told, _ = process.communicate(timeout=240)
        assert process.returncode == 130, told
        assert "run again to go on from there" in told
    curve = trained(folder, ACCUMULATED)
    assert len(curve) == len(alone) == 40
    for row, expected in zip(curve, alone, strict=True):
        assert row == pytest.approx(expected, rel=1e-3)


def test_a_model_with_weights_that_reading_a_text_leaves_out_is_fine_tuned_by_both(tmp_path: Path) -> None:
    """XLNet's are those of segments and of guessed tokens: without a gradient, which ranks would wait for."""
    folder = small_training_project(tmp_path / "project", XLNET)
    pretrained_folder(folder / "pretrained", folder / "tokenizer", "xlnet")
    process = start(folder, COPIED, stage="finetune")
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert (folder / "teacher" / "model.safetensors").is_file()
