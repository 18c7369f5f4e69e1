"""components.planning.stage_profile: a process of its own, asked as `lianzi plan` asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.params import Params, flatten
from components.planning import UNFIT
from components.planning.estimate import Memory
from components.planning.jobs import Job
from components.planning.stage_profile import ALIKE, FULL, MIXED, _growth_to_come, _second_steps, _steps_again
from components.planning.trial_timing import TrialTiming
from components.run import Metrics
from flows.settings import change_params
from tests.small_store import copy_store

pytestmark = pytest.mark.slow

SMALL = (
    "model.depth=1",
    "model.width=null",
    "pretrain.threads=1",
    "pretrain.batch_size=4",
    "pretrain.sequence_length=16",
)


class Calibrator:
    """Calls the module on small artifacts."""

    def __init__(self, folder: Path, root: Path, options: dict[str, Any]) -> None:
        self.folder, self.root, self.options = folder, root, options

    def __call__(self, *words: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        options = self.options | changes
        given = [word for name, value in options.items() for word in (f"--{name}", *str(value).split("|"))]
        return subprocess.run(
            [sys.executable, "-m", "components.planning", *given, "--words", *words],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def calibrator(tmp_path: Path, root: Path, mlflow_store: Path, tokenizer_folder: Path) -> Calibrator:
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text())
    change_params(tmp_path / "params.yaml", SMALL)
    copy_store(mlflow_store, tmp_path)
    options = {"params": "params.yaml", "folder": "made", "memory": 10**11, "disk": 10**11}
    return Calibrator(tmp_path, root, {**options, "tokenizer": tokenizer_folder, "data": "data"})


@pytest.fixture
def pretrain_words(tokens_folder: Path, tokenizer_folder: Path) -> list[str]:
    words = ["pretrain", "--tokens", str(tokens_folder), "--tokenizer", str(tokenizer_folder)]
    return [*words, "--pretrained", "out/pretrained", "--metrics", "out/pretrain.json"]


def test_a_stage_is_counted_and_measured_and_leaves_no_output(
    calibrator: Calibrator, pretrain_words: list[str], params: Params
) -> None:
    done = calibrator(*pretrain_words)
    assert done.returncode == 0, done.stderr
    found: Metrics = json.loads(done.stdout.splitlines()[-1])
    assert found["steps"] == params.pretrain.steps
    measured = flatten(found)
    validations = -(-found["steps"] // params.pretrain.validate_every)
    parts = found["steps"] * measured["measured.step"] + validations * measured["measured.validation"]
    whole = parts + measured["measured.start"] + measured["measured.writing"]
    assert measured["measured.seconds"] == pytest.approx(whole)
    assert measured["measured.start"] > measured["measured.connection"][0]
    assert 2e8 < measured["measured.peak_memory"] < 4e9
    assert not (calibrator.folder / "out").exists()


JOB = Job(1, 1000, 1, 1, 1, 1.0, Memory(1, 1), 1, 1)


def timed(*seconds: float, memory: tuple[int, ...] = ()) -> TrialTiming:
    return TrialTiming(1.0, seconds, (1.0,), 1, 0.1, memory)


def test_a_stage_is_tried_for_a_second_unless_it_has_fewer_steps_or_they_take_too_long() -> None:
    quick, slow, slower = (timed(seconds, seconds) for seconds in (0.01, 1.0, 6.0))
    assert _second_steps(quick, JOB, 1, alike=True) == 100
    assert _second_steps(slow, JOB, 1, alike=True) == ALIKE
    assert _second_steps(slow, JOB, 1, alike=False) == MIXED
    assert _second_steps(slow, replace(JOB, steps=5), 1, alike=True) == 5
    assert _second_steps(slower, JOB, 1, alike=True) == 0
    assert _second_steps(slower, JOB, 2, alike=True) == FULL
    assert _second_steps(replace(slow, trainings=2), replace(JOB, steps=10), 1, alike=True) == 5


def test_few_steps_that_differ_are_timed_again() -> None:
    steady, unsteady = timed(*[1.0, 1.01] * 4), timed(*[1.0, 1.5] * 4)
    assert _steps_again(steady, 1000) == 0
    assert _steps_again(unsteady, 1000) == FULL - unsteady.count
    assert _steps_again(unsteady, 12) == 12 - unsteady.count
    assert _steps_again(unsteady, 9) == 0
    assert _steps_again(timed(*[2.0, 4.0] * 4), 1000) == 0


def test_memory_grows_on_as_with_the_last_doubling_of_the_steps() -> None:
    eight = (700, 700, 800, 800, 810, 820, 830, 840)
    assert _growth_to_come(timed(1.0, memory=eight), 1000) == pytest.approx(40 * 1.585, abs=1)
    assert _growth_to_come(timed(1.0, memory=eight), 16) == 40
    assert _growth_to_come(timed(1.0, memory=eight), 8) == 0
    assert _growth_to_come(timed(1.0, memory=(900, 800, 700, 600)), 1000) == 0
    assert _growth_to_come(timed(1.0), 1000) == 0


def test_what_cannot_fit_is_counted_and_not_tried(calibrator: Calibrator, pretrain_words: list[str]) -> None:
    done = calibrator(*pretrain_words, memory=10**6)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["measured"] is None
    assert found["parameters"] > 0
    assert not (calibrator.folder / "made").exists()


def test_a_connection_measured_before_is_not_made_again(calibrator: Calibrator, pretrain_words: list[str]) -> None:
    done = calibrator(*pretrain_words, connection="2.5|1000")
    assert json.loads(done.stdout.splitlines()[-1])["measured"]["connection"] == [2.5, 1000]


def test_a_stage_that_its_params_forbid_is_told_as_the_stage_would(
    calibrator: Calibrator, pretrain_words: list[str]
) -> None:
    change_params(calibrator.folder / "params.yaml", ("pretrain.objective.name=clm",))
    done = calibrator(*pretrain_words)
    assert done.returncode == UNFIT
    assert "does not fit model.architecture" in done.stderr
    assert "Traceback" not in done.stderr
