"""cli.suite: published rows of a suite go through the pipeline to the table, killed or not."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.init import make_project
from cli.main import main
from cli.suite import _is_missing, listing, notes, system_name
from components.suites.suite import SUITES, suite_of
from components.suites.table import MISSING
from tests.models_from_elsewhere import family_folder
from tests.preloaded import preloaded
from tests.small_store import copy_store
from tests.small_suites import small_suite

SMALL = (
    "finetune.epochs=1",
    "finetune.min_steps=1",
    "finetune.batch_size=16",
    "distill.epochs=1",
    "distill.min_steps=1",
    "distill.max_loss=1.0",
    "distill.count_words=false",
    "quantize.rungs=[int8]",
    "quantize.bootstrap_samples=100",
    "quantize.max_accuracy_loss=1.0",
    "build.engines=[onnxruntime]",
    "gate.rows=8",
    "gate.bootstrap_samples=100",
    "gate.max_loss=1.0",
    "gate.min_agreement=0.0",
    "gate.max_noise=1.0",
    "evaluate.baselines=[]",
    "evaluate.bootstrap_samples=100",
)
BERT, T5 = "bert", "t5"
WRITTEN = ("wmt14", "wmt16", "cnn_dailymail", "xsum")
"""Suites whose answers are texts."""


@pytest.fixture
def project(tmp_path: Path, mlflow_store: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two checkpoints beside it; stages are forks of a process that has the libraries."""
    folder = tmp_path / "project"
    make_project(folder, {"mood": "en"})
    copy_store(mlflow_store, folder)
    family_folder(tmp_path / "models" / BERT, "bert", tokenizer_folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in preloaded().items():
        monkeypatch.setenv(name, value)
    return folder


def suite(project: Path, name: str, *words: str, model: str = BERT) -> Result:
    """`lianzi suite`, with the rows in data/ beside the project."""
    first = name.partition("/")[0]
    data = project.parent / "data" / first
    if not data.exists():
        small_suite(first, data)
    settings = [word for setting in SMALL for word in ("--set", setting)]
    where = ["--data", str(data), "--model", str(project.parent / "models" / model)]
    return CliRunner().invoke(main, ["suite", name, *where, *settings, *words])


def line_of(output: str, system: str) -> str:
    """The line of a system in the table."""
    return next(line for line in output.splitlines() if line.strip().startswith(f"{system} "))


def cells(output: str, system: str) -> list[str]:
    """The numbers of a system in the table."""
    return [word for word in line_of(output, system).split() if word.replace(".", "").isdigit()]


def test_a_teacher_is_scored_though_a_stage_after_its_own_failed() -> None:
    assert not _is_missing("rte", "teacher", {"distill@rte": "why"})
    assert _is_missing("rte", "bundle", {"distill@rte": "why"})
    assert _is_missing("rte", "teacher", {"finetune@rte": "why"})
    assert not _is_missing("cola", "bundle", {"finetune@rte": "why"})
    assert _is_missing("cola", "teacher", {"pretrain": "why"})


@pytest.mark.slow
@pytest.mark.minutes
def test_a_task_goes_to_the_table_and_a_killed_suite_goes_on(project: Path) -> None:
    done = suite(project, "glue/sst2")
    assert done.exit_code == 0, done.output
    assert len(cells(done.output, "bert")) == len(cells(done.output, "bert, bundle")) == 1
    folder = project / ".lianzi/suites/glue-sst2/bert"
    for model in ("teacher", "bundle"):
        sent = project / "reports/suites/glue-sst2/bert" / model / "glue.zip"
        with zipfile.ZipFile(sent) as files:
            assert files.namelist() == ["SST-2.tsv"]
            assert files.read("SST-2.tsv").decode().splitlines()[0] == "index\tprediction"
    # As it stands after a kill between two stages: what was done is not done again.
    shutil.rmtree(folder / "results")
    lock = (folder / "dvc.lock").read_bytes()
    again = suite(project, "glue/sst2")
    assert again.exit_code == 0, again.output
    assert "finetune" not in again.output
    assert cells(again.output, "bert") == cells(done.output, "bert")
    assert (folder / "dvc.lock").read_bytes() == lock
    other = suite(project, "glue/sst2", "--set", "seed=3")
    assert other.exit_code == 1
    assert "--name gives this system another name" in other.output


@pytest.mark.slow
@pytest.mark.minutes
@pytest.mark.parametrize("name", SUITES)
def test_every_suite_goes_to_the_table(project: Path, name: str, tokenizer_folder: Path) -> None:
    model = T5 if name in WRITTEN else BERT
    if model == T5:
        family_folder(project.parent / "models" / T5, "t5", tokenizer_folder)
    done = suite(project, name, "--teacher-only", model=model)
    assert done.exit_code == 0, done.output
    chosen = suite_of(name)
    scores = [json.loads(path.read_text())["teacher"]["scores"] for path in _results(project, name, model)]
    assert {part for one in scores for part in one} == {part.title for task in chosen.tasks for part in task.parts}
    assert all(0 <= abs(value) <= 1 for one in scores for part in one.values() for value in part.values())
    assert MISSING not in line_of(done.output, model)
    folder = project / "reports/suites" / name / model / "teacher"
    if chosen.archive:
        with zipfile.ZipFile(folder / chosen.archive) as files:
            assert len(files.namelist()) == sum(len(task.submissions) for task in chosen.tasks)


def _results(project: Path, name: str, model: str) -> list[Path]:
    return sorted((project / ".lianzi/suites" / name / model / "results").glob("*.json"))


def test_the_list_names_every_suite() -> None:
    told = "\n".join(listing())
    assert all(name in told for name in SUITES)
    assert any("tok:13a" in line for line in notes(suite_of("wmt16")))


@pytest.mark.parametrize(("name", "told"), [("gleu", "nearest: glue"), ("glue/sst", "nearest: sst2")])
def test_an_unknown_suite_is_a_line(name: str, told: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    answer = CliRunner().invoke(main, ["suite", name])
    assert (answer.exit_code, told in answer.output) == (1, True)


def test_a_system_is_called_as_its_checkpoint() -> None:
    assert system_name(None) == "own"
    assert system_name("/models/all-MiniLM-L6-v2/") == "all-MiniLM-L6-v2"
    assert system_name("owner/small bert@0123") == "small-bert"
