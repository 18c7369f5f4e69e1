"""components.planning.jobs: what a stage will do, counted from its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import ParameterError
from components.modeling.checkpoints import load_tokenizer
from components.params import Params
from components.planning import dummy_artifacts
from components.planning.jobs import (
    blank_language_model,
    distill_job,
    finetune_job,
    from_scratch_job,
    pretrain_job,
    sketched_task_job,
)
from components.tasks.config import TaskConfig
from components.training.config import AdapterConfig
from components.training.task_data import TaskData
from tests.small_params import objective

TASK = TaskConfig(kind="classification", language="en", max_length=16)


def small(params: Params, depth: int = 2, **pretrain: Any) -> Params:
    model = params.model.model_copy(update={"depth": depth, "width": None})
    return params.model_copy(update={"model": model, "pretrain": params.pretrain.model_copy(update=pretrain)})


@pytest.fixture
def given(params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path) -> dict[str, Any]:
    dummy_artifacts.pretrained(tmp_path / "pretrained", small(params), tokenizer_folder)
    config = params.finetune.model_copy(update={"min_steps": 1})
    return {"config": config, "trainer": params.trainer, "task": TASK, "pretrained": tmp_path / "pretrained"}


@pytest.fixture
def data(task_rows: Path, tokenizer_folder: Path) -> TaskData:
    return TaskData.read(task_rows, TASK, load_tokenizer(tokenizer_folder))


def test_pretraining_is_steps_times_batch_times_length(params: Params, tokenizer_folder: Path) -> None:
    few = small(
        params,
        objective=objective("mlm"),
        steps=10,
        batch_size=4,
        sequence_length=32,
        validate_every=4,
        validation_sequences=9,
    )
    vocabulary = load_tokenizer(tokenizer_folder)
    blank = blank_language_model(few, vocabulary)
    assert {parameter.device.type for parameter in blank.parameters()} == {"meta"}
    job = pretrain_job({"config": few.pretrain, "trainer": params.trainer}, blank, vocabulary)
    assert (job.steps, job.tokens, job.validations, job.validation_batches) == (10, 1280, 3, 3)
    assert job.parameters == blank.num_parameters()
    parts = params.trainer.model_copy(update={"accumulate": 2})
    halved = pretrain_job({"config": few.pretrain, "trainer": parts}, blank, vocabulary)
    assert 2 * halved.memory.activations == job.memory.activations


def test_pretraining_costs_what_its_objective_says(params: Params, tokenizer_folder: Path) -> None:
    """Two views of a third of a window are read for each window of the contrastive objective."""
    vocabulary = load_tokenizer(tokenizer_folder)
    jobs = {}
    for name in ("mlm", "contrastive"):
        few = small(params, steps=10, batch_size=4, sequence_length=30, objective=objective(name))
        blank = blank_language_model(few, vocabulary)
        jobs[name] = pretrain_job({"config": few.pretrain, "trainer": params.trainer}, blank, vocabulary)
    assert (jobs["mlm"].tokens, jobs["contrastive"].tokens) == (1200, 800)
    assert 3 * jobs["contrastive"].memory.activations == 2 * jobs["mlm"].memory.activations
    assert jobs["contrastive"].flops < 2 / 3 * jobs["mlm"].flops


def test_weights_that_an_objective_trains_beside_the_model_take_memory_and_are_not_kept(
    params: Params, tokenizer_folder: Path
) -> None:
    vocabulary = load_tokenizer(tokenizer_folder)
    jobs = {}
    for name in ("mlm", "nsp", "rtd", "simcse"):
        few = small(params, steps=10, batch_size=4, sequence_length=30, objective=objective(name))
        blank = blank_language_model(few, vocabulary)
        jobs[name] = pretrain_job({"config": few.pretrain, "trainer": params.trainer}, blank, vocabulary)
    assert len({job.parameters for job in jobs.values()}) == len({job.results for job in jobs.values()}) == 1
    assert jobs["mlm"].memory.fixed == jobs["simcse"].memory.fixed
    assert jobs["mlm"].memory.fixed < jobs["nsp"].memory.fixed < jobs["rtd"].memory.fixed
    assert jobs["mlm"].checkpoint < jobs["nsp"].checkpoint < jobs["rtd"].checkpoint


def test_a_model_of_seventy_billion_parameters_is_counted_without_being_made(
    params: Params, tokenizer_folder: Path
) -> None:
    large = small(params, depth=96, objective=objective("clm"))
    large = large.model_copy(update={"model": large.model.model_copy(update={"architecture": "llama"})})
    vocabulary = load_tokenizer(tokenizer_folder)
    blank = blank_language_model(large, vocabulary)
    job = pretrain_job({"config": large.pretrain, "trainer": params.trainer}, blank, vocabulary)
    assert job.parameters > 40e9
    assert job.memory.fixed > 16 * 40e9


def test_an_objective_that_does_not_fit_is_refused_here_too(params: Params, tokenizer_folder: Path) -> None:
    with pytest.raises(ParameterError, match="does not fit"):
        blank_language_model(small(params, objective=objective("clm")), load_tokenizer(tokenizer_folder))


def test_finetuning_counts_all_epochs(given: dict[str, Any], data: TaskData) -> None:
    job = finetune_job(given, data)
    config = given["config"]
    assert job.steps == config.epochs * -(-160 // config.batch_size)
    assert job.tokens == config.epochs * sum(data.train.lengths)
    assert job.validations == config.epochs
    assert job.results == 4 * job.parameters


def test_frozen_weights_have_no_gradients_and_no_moments(given: dict[str, Any], data: TaskData) -> None:
    lora = AdapterConfig.model_validate({"name": "lora", "rank": 2, "alpha": 4, "dropout": 0.0, "targets": None})
    full, low_rank, head = (
        finetune_job({**given, "config": given["config"].model_copy(update={"adapter": one})}, data)
        for one in (AdapterConfig(name="full"), lora, AdapterConfig(name="frozen"))
    )
    assert head.flops < 0.6 * full.flops < low_rank.flops < 0.8 * full.flops
    assert head.memory.fixed < low_rank.memory.fixed < full.memory.fixed - 2 * 4 * full.parameters
    assert head.checkpoint < low_rank.checkpoint < 0.7 * full.checkpoint


def test_a_student_is_smaller_and_its_teacher_reads_along(
    params: Params, given: dict[str, Any], data: TaskData
) -> None:
    whole = {"depth_fraction": 0.5, "width_fraction": 1.0, "ffn_fraction": 1.0, "min_steps": 1}
    shallower, narrower, fewer = (
        distill_job(
            {**given, "config": params.distill.model_copy(update=changes), "teacher": given["pretrained"]}, data
        )
        for changes in (whole, {**whole, "width_fraction": 0.5}, {**whole, "ffn_fraction": 0.5})
    )
    teacher = finetune_job(given, data)
    assert narrower.parameters < fewer.parameters < shallower.parameters < teacher.parameters
    assert narrower.memory.activations < shallower.memory.activations
    # Its own epochs, then itself once and the teacher twice, for as much longer as that has more to multiply by.
    table = 128 * len(load_tokenizer(given["pretrained"]))
    longer = (teacher.parameters - table) / (shallower.parameters - table)
    assert 1.9 < longer < 2
    assert shallower.validations == pytest.approx(params.distill.epochs + 1 + 2 * longer)
    assert narrower.flops < shallower.flops


def test_where_the_teacher_goes_on_itself_there_is_nothing_to_train(
    params: Params, given: dict[str, Any], data: TaskData
) -> None:
    whole = {"depth_fraction": 1.0, "width_fraction": 1.0, "ffn_fraction": 1.0, "min_token_count": 0}
    config = params.distill.model_copy(update=whole)
    job = distill_job({**given, "config": config, "teacher": given["pretrained"]}, data)
    assert (job.steps, job.tokens, job.flops, job.validations) == (0, 0, 0.0, 1)
    assert job.parameters == finetune_job(given, data).parameters


def test_a_sketch_knows_memory_and_disk_before_rows_are_read(
    params: Params, given: dict[str, Any], data: TaskData, tokenizer_folder: Path
) -> None:
    sketch = sketched_task_job(given, blank_language_model(small(params), load_tokenizer(tokenizer_folder)))
    job = finetune_job(given, data)
    assert sketch.memory.total == pytest.approx(job.memory.total, rel=0.2)
    assert sketch.checkpoint == pytest.approx(job.checkpoint, rel=0.2)


def test_the_control_is_trained_whole_whatever_the_adapter(given: dict[str, Any], data: TaskData) -> None:
    frozen = given["config"].model_copy(update={"adapter": AdapterConfig(name="frozen")})
    assert from_scratch_job({**given, "config": frozen}, data) == finetune_job(given, data)


def test_several_seeds_are_several_trainings_and_few_rows_are_read_more_often(
    given: dict[str, Any], data: TaskData
) -> None:
    one = finetune_job(given, data)
    config = given["config"].model_copy(update={"seeds": [17, 18, 19]})
    several = finetune_job({**given, "config": config}, data)
    assert (several.steps, several.tokens, several.results) == (3 * one.steps, 3 * one.tokens, 3 * one.results)
    more = given["config"].model_copy(update={"min_steps": 3 * one.steps})
    longer = finetune_job({**given, "config": more}, data)
    assert (longer.steps, longer.tokens, longer.validations) == (3 * one.steps, 3 * one.tokens, one.validations)
