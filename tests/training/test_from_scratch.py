from pathlib import Path

from components.artifacts import digest, read_manifest
from components.run import RecordedRun
from tests.small_tuning import Tuner


def test_a_control_learns_the_task_from_random_weights(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    metrics = tune("first", run, classifier="scratch", epochs=8)
    assert metrics["scratch"]["macro_f1"] > 0.7
    assert read_manifest(tmp_path / "first" / "scratch", "classifier")["labels"] == ["city", "field", "sea"]
    assert any("loss" in values for _, values in run.steps)


def test_a_second_run_writes_the_same_bytes(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    assert tune("first", run, classifier="scratch", epochs=2) == tune("second", run, classifier="scratch", epochs=2)
    assert digest(tmp_path / "first") == digest(tmp_path / "second")


def test_a_control_is_trained_whole_whatever_the_teachers_adapter(tune: Tuner, run: RecordedRun) -> None:
    adapted = tune("adapted", run, classifier="scratch", epochs=2, adapter={"name": "frozen"}, layer_decay=0.5)
    assert adapted == tune("whole", run, classifier="scratch", epochs=2)


def test_a_control_may_be_left_out(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    assert tune("first", run, classifier="scratch", epochs=1, without_pretraining=False) == {}
    assert run.steps == []
    manifest = read_manifest(tmp_path / "first" / "scratch", "classifier")
    assert manifest["left_out"] == "finetune.without_pretraining"
    assert manifest["files"] == {}
