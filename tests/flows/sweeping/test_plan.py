"""flows.sweeping.plan and spec: a sweep is checked before any work, each mistake told in a line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ParameterError
from flows.sweeping.plan import plan_sweep
from flows.sweeping.spec import LocatedFile
from tests.small_sweeps import SWEEP, make_sweep_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, root: Path, mlflow_store: Path) -> Path:
    return make_sweep_project(root, mlflow_store, tmp_path_factory.mktemp("sweep"))


def test_stages_that_no_parameter_reaches_run_once_and_those_behind_the_metric_never(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    plan = plan_sweep(project, LocatedFile(Path("search.yaml")))
    assert [[node.name for node in nodes] for nodes in (plan.once, plan.each_time)] == [["prepare"], ["train"]]
    assert plan.tracked == ("data.dvc",)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (
            "finetune.epochs",
            "finetune.epoch",
            "wrong.yaml:4: parameters.finetune.epoch: unknown parameter\ndid you mean",
        ),
        ("low: 2, high: 6", "low: 6, high: 2", "wrong.yaml:4: parameters.finetune.epochs: low 6 is not below high 2"),
        ("low: 2, high: 6", "low: 0, high: 6", "wrong.yaml:4: parameters.finetune.epochs: "),
        ("low: 0.0001", "low: 0.0", "wrong.yaml:3: parameters.finetune.learning_rate: low 0.0: a logarithmic range"),
        ("metrics/train.json", "metrics/trian.json", "wrong.yaml:1: objective.file: no stage writes the metrics file"),
        ("finetune.epochs", "distill.epochs", "wrong.yaml:4: parameters.distill.epochs: no stage up to train reads it"),
        ("trials: 12", "trails: 12", "wrong.yaml:5: trails: unknown entry"),
        ("parallel: 2", "parallel: [2", "wrong.yaml:8: not YAML: "),
        ("type: int", "type: integer", "wrong.yaml:4: parameters.finetune.epochs: "),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, before: str, now: str, told: str
) -> None:
    monkeypatch.chdir(project)
    assert before in SWEEP
    Path("wrong.yaml").write_text(SWEEP.replace(before, now, 1))
    with pytest.raises(ParameterError) as refused:
        plan_sweep(project, LocatedFile(Path("wrong.yaml")))
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2


def test_a_metric_that_the_file_lacks_is_told_where_the_file_is_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    Path("metrics").mkdir()
    Path("metrics/train.json").write_text('{"quality": 0.5}')
    Path("wrong.yaml").write_text(SWEEP.replace("metric: quality", "metric: qualty"))
    with pytest.raises(ParameterError, match=r"wrong.yaml:1: objective.metric: .*\ndid you mean quality\?"):
        plan_sweep(project, LocatedFile(Path("wrong.yaml")))
