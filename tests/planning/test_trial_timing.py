"""components.planning.trial_timing: seconds from what a training reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.modeling.config import ModelConfig
from components.params import Params
from components.planning.trial_timing import STEP, VALIDATION, TrialTiming, time_trial
from components.training.pretrain import pretrain


def test_intervals_leave_out_the_warm_up_and_what_lies_between_two_trainings() -> None:
    marks = [(STEP, 1, 3.0), (STEP, 2, 3.5), (STEP, 3, 4.1), (VALIDATION, 3, 4.4)]
    marks += [(STEP, 1, 7.0), (STEP, 2, 7.7), (VALIDATION, 2, 8.1)]
    found = TrialTiming.of(marks, 1.0, 9.0)
    assert found.steps == pytest.approx((0.5, 0.6, 0.7))
    assert found.validations == pytest.approx((0.3, 0.4))
    assert (found.trainings, found.count, found.seconds) == (2, 5, 8.0)
    assert found.after == pytest.approx(0.9)
    assert found.step_seconds(alike=True) == pytest.approx(0.6)
    assert TrialTiming.of([*marks[:2], (STEP, 3, 14.5)], 1.0, 9.0).step_seconds(alike=False) == pytest.approx(5.75)


def test_a_trial_that_follows_adds_its_intervals_and_not_its_seconds() -> None:
    one = TrialTiming(9.0, (1.0, 1.0), (0.5,), 1, 0.1, (10, 20))
    both = one.followed_by(TrialTiming(5.0, (2.0, 4.0), (0.7,), 1, 0.2, (30,)))
    assert (both.seconds, both.after, both.count) == (9.0, 0.1, 6)
    assert both.validation_seconds == pytest.approx(0.6)
    assert both.memory == (10, 20, 30)
    assert one.error == 0
    assert both.error == pytest.approx(0.354, abs=0.001)


def test_a_real_stage_is_timed_step_by_step(
    params: Params, tokens_folder: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    few = {"steps": 5, "validate_every": 5, "batch_size": 4, "sequence_length": 16, "validation_sequences": 8}
    given = {
        "config": params.pretrain.model_copy(update={**few, "threads": 1}),
        "model": ModelConfig.model_validate(
            {"architecture": "modernbert", "depth": 1, "width": None, "max_length": 32}
        ),
        "trainer": params.trainer,
        "seed": 1,
        "tokens": tokens_folder,
        "tokenizer": tokenizer_folder,
        "pretrained": tmp_path / "not here",
    }
    found = time_trial(pretrain, given, ("pretrained",), tmp_path / "rehearsal")
    assert len(found.steps) == 4
    assert len(found.validations) == 1
    assert sum(found.steps) + sum(found.validations) + found.after < found.seconds
    assert (tmp_path / "rehearsal" / "pretrained" / "model.safetensors").is_file()
    assert (tmp_path / "rehearsal" / "loss.png").is_file()
    assert not (tmp_path / "not here").exists()
