import pytest
import torch

from components.params import Params
from components.run import RecordedRun
from components.training.order import BucketedOrder
from components.training.task_data import TaskData
from components.training.task_training import (
    VALIDATION_BATCH,
    passes_per_epoch,
    task_batches,
    validation_batch,
    validations,
)
from tests.small_tuning import Tuner


@pytest.mark.parametrize(("min_steps", "passes"), [(1, 1), (20, 1), (21, 2), (40, 2)])
def test_an_epoch_goes_through_few_rows_as_often_as_it_needs(params: Params, min_steps: int, passes: int) -> None:
    config = params.finetune.model_copy(update={"epochs": 2, "batch_size": 8, "min_steps": min_steps})
    assert passes_per_epoch(config, 80) == passes


def test_validations_read_every_row_once_and_in_its_order(data: TaskData) -> None:
    read = [validation_batch(data, number)["targets"] for number in range(validations(data))]
    assert torch.equal(torch.cat(read), torch.as_tensor(data.validation.targets))
    assert max(map(len, read)) <= VALIDATION_BATCH


def test_hidden_tokens_stand_whole_beside_the_batch(data: TaskData) -> None:
    batches = task_batches(data, BucketedOrder(data.train.lengths, 16, 1), 0.5, 1)
    batch = batches.make(0, slice(None))
    assert not torch.equal(batch["input_ids"], batch["clean_ids"])
    assert torch.equal(batch["clean_ids"], data.batch(data.train, batches.samples(0))["input_ids"])


def test_early_stopping_keeps_the_best_epoch(tune: Tuner, run: RecordedRun) -> None:
    metrics = tune("first", run, epochs=12, patience=1, learning_rate=5e-3)
    scores = [values["macro_f1"] for _, values in run.steps if "macro_f1" in values]
    assert len(scores) < 12
    assert metrics["teacher"]["macro_f1"] == max(scores)
    assert scores.index(max(scores)) + 1 == metrics["teacher"]["best_epoch"]


def test_few_rows_are_gone_through_until_there_are_steps_enough(tune: Tuner, run: RecordedRun) -> None:
    metrics = tune("first", run, epochs=2, label_fraction=0.1, batch_size=4, min_steps=40)
    assert max(step for step, values in run.steps if "loss" in values) >= 40
    assert len([values for _, values in run.steps if "macro_f1" in values]) == 2
    assert metrics["teacher"]["best_epoch"] in (1, 2)
