"""Breadth makes nothing stale: the real graph in a scratch project whose stages have all run, asked by `dvc status`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.params import load_params
from flows.recipes import read_recipes
from flows.settings import change_params

INPUTS = ("dvc.yaml", "params.yaml", "folders.yaml", "libraries.yaml", "removals.txt", ".dvcignore")
ARCHITECTURES = Path("components/modeling/architectures")
OBJECTIVES = Path("components/modeling/objectives")
ADAPTERS = Path("components/modeling/adapters")
KINDS = Path("components/tasks")
TRAINING = Path("components/training")
OF_THE_TASK = ("finetune", "train_from_scratch", "distill", "export", "quantize", "build", "evaluate", "analyze")


@pytest.fixture(scope="module")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage has been done, with something or other as its result."""
    folder = tmp_path_factory.mktemp("breadth")
    shutil.copytree(root / "components", folder / "components", ignore=shutil.ignore_patterns("__pycache__"))
    for name in INPUTS:
        shutil.copy(root / name, folder)
    (folder / ".gitignore").write_text("/artifacts\n/reports\n/data\n")
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "config", "core.analytics", "false"]):
        subprocess.run(words, cwd=folder, check=True)
    for recipe in read_recipes(folder).values():
        for name in (*recipe.reads, *recipe.writes):
            path = folder / name if Path(name).suffix else folder / name / "file.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    subprocess.run(["dvc", "commit", "-q", "--force"], cwd=folder, check=True)
    assert stale(folder) == set()
    return folder


@pytest.fixture
def project(fresh: Path) -> Iterator[Path]:
    """The same, and as it was again afterwards."""
    kept = [fresh / "dvc.yaml", fresh / "params.yaml", *sorted((fresh / "components").rglob("*.py"))]
    before = {path: path.read_bytes() for path in kept}
    yield fresh
    for path in (fresh / "components").rglob("*.py"):
        if path not in before:
            path.unlink()
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def stale(project: Path) -> set[str]:
    told = subprocess.run(["dvc", "status", "--json"], cwd=project, check=True, capture_output=True, text=True)
    return set(json.loads(told.stdout))


def add(path: Path, table: Path) -> None:
    """Write a file that a table names, and a line of that table."""
    path.write_text('"""Something new."""\n')
    edit(table)


def edit(path: Path) -> None:
    path.write_text(f"{path.read_text()}\n# another line\n")


def test_a_new_architecture_and_a_new_objective_make_nothing_stale(project: Path) -> None:
    add(project / ARCHITECTURES / "albert.py", project / "components/modeling/kinds.py")
    add(project / OBJECTIVES / "electra.py", project / "components/modeling/config.py")
    edit(project / "components/params.py")
    assert stale(project) == set()


def test_a_new_kind_makes_curation_stale_alone(project: Path) -> None:
    """It reads the rows of every kind."""
    add(project / KINDS / "haiku.py", project / "components/tasks/kinds.py")
    graph = project / "dvc.yaml"
    known = "components/tasks/classification.py,"
    assert graph.read_text().count(known) == 1
    graph.write_text(graph.read_text().replace(known, f"{known} components/tasks/haiku.py,"))
    assert stale(project) == {"curate"}


def test_an_edit_of_what_is_not_chosen_makes_nothing_stale(project: Path) -> None:
    for path in (
        ARCHITECTURES / "bert.py",
        ARCHITECTURES / "llama.py",
        OBJECTIVES / "mlm.py",
        OBJECTIVES / "clm.py",
        ADAPTERS / "lora.py",
        TRAINING / "losses" / "dpo.py",
        TRAINING / "targets" / "sequence_level.py",
    ):
        edit(project / path)
    assert stale(project) == set()


def test_an_edit_of_the_chosen_architecture_makes_the_trainings_stale(project: Path) -> None:
    params = load_params(project / "params.yaml")
    edit(project / ARCHITECTURES / f"{params.model.architecture}.py")
    trainings = {f"{stage}@{task}" for stage in ("finetune", "train_from_scratch", "distill") for task in params.tasks}
    assert stale(project) == {"pretrain", *trainings}


def test_an_edit_of_the_chosen_objective_makes_pretraining_stale(project: Path) -> None:
    edit(project / OBJECTIVES / "contrastive.py")
    assert stale(project) == {"pretrain"}


def test_an_edit_of_a_kind_makes_the_stages_of_its_tasks_stale(project: Path) -> None:
    edit(project / KINDS / "classification.py")
    tasks = load_params(project / "params.yaml").tasks
    assert stale(project) - {"curate"} == {f"{stage}@{task}" for stage in OF_THE_TASK for task in tasks}


def test_another_architecture_is_another_file_for_dvc_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)  # where the graph's names are those of its stages
    change_params(project / "params.yaml", ("model.architecture=bert",))
    reads = read_recipes(project)["pretrain"].reads
    assert (ARCHITECTURES / "bert.py").as_posix() in reads
    assert (ARCHITECTURES / "modernbert.py").as_posix() not in reads
