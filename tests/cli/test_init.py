"""cli.init: a project outside the clone, as an installed package makes it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.init import command, make_example, make_project
from cli.project_files import FILES
from components.errors import LianziError
from components.params import load_params
from flows.graph import read_graph

NOT_IN_PROJECTS = {"benchmarks", "cli", "examples", "tests", "README.md", "CHANGELOG.md", "infra", "lianzi"}
"""What pages lead to that a project of one's own does not have: it is Lianzi's, not the project's."""


def dead_links(project: Path) -> set[str]:
    """What pages of a project lead to and it does not have: the first folder below the project's own."""
    found = set()
    for page in (project / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(((?!https?:)[^)#\s]+)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if not path.exists():
                found.add(path.relative_to(project.resolve()).parts[0])
    return found


def test_a_project_is_laid_out_and_git_and_dvc_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = make_project(tmp_path / "mine", {"mood": "en", "form": "zh"})
    params = load_params(tmp_path / "mine" / "params.yaml")
    assert {name: task.language for name, task in params.tasks.items()} == {"mood": "en", "form": "zh"}
    assert params.corpus == {}
    assert all((tmp_path / "mine" / name).is_file() for name in (*FILES, "README.md"))
    pages = re.findall(r"docs/\w+\.md", (tmp_path / "mine" / "params.yaml").read_text(encoding="utf-8"))
    assert pages
    assert all((tmp_path / "mine" / page).is_file() for page in pages)
    assert dead_links(tmp_path / "mine") <= NOT_IN_PROJECTS
    assert (tmp_path / "mine" / "data" / "tasks" / "mood").is_dir()
    assert told[-1] == "  lianzi run"
    monkeypatch.chdir(tmp_path / "mine")
    stages = {stage.name: stage for stage in read_graph(tmp_path / "mine")}
    assert "finetune@mood" in stages
    assert not any("components/" in change and "deleted" in change for change in stages["curate"].changes)
    ignored = ["git", "check-ignore", "artifacts/x", "mlflow/mlflow.db", "data/corpus/x"]
    assert subprocess.run(ignored, cwd=tmp_path / "mine", capture_output=True, check=False).stdout.count(b"\n") == 3


def test_a_project_below_a_repository_is_dvcs_own(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    make_project(tmp_path / "models" / "mood", {"mood": "en"})
    assert (tmp_path / "models" / "mood" / ".dvc").is_dir()
    assert not (tmp_path / "models" / "mood" / ".git").exists()
    assert read_graph(tmp_path / "models" / "mood")


@pytest.mark.parametrize(
    ("tasks", "told"),
    [({}, "no task is named"), ({"a/b": "en"}, "is not a name for a task"), ({"mood": "xx"}, "tasks.mood.language")],
)
def test_what_is_wrong_is_told_in_two_lines(tmp_path: Path, tasks: dict[str, str], told: str) -> None:
    with pytest.raises(LianziError, match=told):
        make_project(tmp_path / "mine", tasks)


def test_a_task_without_a_language_is_told_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(LianziError, match="--task mood: no language\n--task mood=en, or --task mood=zh"):
        CliRunner().invoke(command, [str(tmp_path / "mine"), "--task", "mood"], catch_exceptions=False)
    assert not (tmp_path / "mine").exists()


def test_a_project_begins_from_an_example_without_a_task_of_its_own(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(tmp_path / "mine"), "--example", "ner"], catch_exceptions=False)
    assert done.output.splitlines()[-1] == "  lianzi run"
    assert "put labelled rows" not in done.output
    params = load_params(tmp_path / "mine" / "params.yaml")
    assert [task.kind for task in params.tasks.values()] == ["token_classification"]
    assert (tmp_path / "mine" / "data" / "tasks" / "names" / "train.jsonl.gz").is_file()
    assert not list((tmp_path / "mine").glob("*.before"))


def test_an_example_is_not_put_among_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(LianziError, match="data: has files, and an example brings its own"):
        make_example(tmp_path, "ner")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_holds_a_project_is_left_alone(project: Path) -> None:
    before = sorted(path.name for path in project.iterdir())
    with pytest.raises(LianziError, match=r"dvc\.yaml: exists already"):
        make_project(project, {"mood": "en"})
    assert sorted(path.name for path in project.iterdir()) == before
