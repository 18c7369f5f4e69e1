"""components.planning.trial_runs: the arguments of a run of a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.params import Params
from components.planning.inputs import Inputs
from components.planning.trial_runs import TRIAL_RUNS
from components.stages import section_of
from components.tasks.config import TaskConfig
from components.tasks.rows import read_split, read_task

TASK = TaskConfig(kind="classification", language="en", max_length=16)


@pytest.fixture
def inputs(params: Params, tokenizer_folder: Path, tmp_path: Path) -> Inputs:
    small = params.model_copy(update={"model": params.model.model_copy(update={"depth": 1, "width": None})})
    return Inputs(small, tmp_path / "made", tokenizer_folder, tmp_path, frozenset())


def test_pretraining_in_miniature_has_few_steps_and_its_own_shapes(
    params: Params, inputs: Inputs, tokens_folder: Path
) -> None:
    given = {"config": params.pretrain, "model": params.model, "trainer": params.trainer, "tokens": tokens_folder}
    trial = TRIAL_RUNS["pretrain"](given, inputs)
    few = trial.given_for(5, 2, longest=True)["config"]
    assert (few.steps, few.validate_every, few.validation_sequences) == (5, 5, 2 * params.pretrain.batch_size)
    assert (few.batch_size, few.sequence_length) == (params.pretrain.batch_size, params.pretrain.sequence_length)
    assert trial.sketch() == trial.job()


@pytest.mark.parametrize("stage", ["finetune", "train_from_scratch", "distill"])
def test_a_task_in_miniature_reads_all_rows_and_trains_on_few(
    params: Params, inputs: Inputs, task_rows: Path, tmp_path: Path, stage: str
) -> None:
    given: dict[str, Any] = {
        "config": params.section(section_of(stage)).model_copy(update={"batch_size": 4}),
        "trainer": params.trainer,
        "task": TASK,
        "task_name": "places",
        "rows": task_rows,
        "pretrained": tmp_path / "no pretrained",
        "teacher": tmp_path / "no teacher",
    }
    trial = TRIAL_RUNS[stage](given, inputs)
    sketch = trial.sketch()
    assert sketch.parameters > 0
    assert not (tmp_path / "made").exists()  # nothing of the model's size is made before it is known to fit
    trial.prepare()
    assert trial.job().tokens > 0
    assert trial.reading_seconds > 0
    few = trial.given_for(3, 1, longest=True)
    task = read_task(task_rows)
    chosen = [len(row["text"].split()) for row in read_split(few["rows"] / "train.jsonl", task)]
    every = [len(row["text"].split()) for row in read_split(task_rows / "train.jsonl", task)]
    assert len(chosen) == 12
    assert sum(chosen) / len(chosen) > sum(every) / len(every)
    assert few["config"].epochs == 1
    again = trial.given_for(2, 1, longest=False)["config"]
    if stage == "distill":
        assert few["config"].count_words
        assert not again.count_words
