from components.run import RecordedRun
from tests.small_tuning import Tuner


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
