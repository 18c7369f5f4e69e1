"""flows.inputs: libraries.yaml and folders.yaml kept true, and what DVC makes of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from components.libraries import installed
from flows.graph import read_graph
from flows.inputs import note_inputs
from flows.settings import change_params

STARTS = """
vars: [folders.yaml]
stages:
  train_tokenizer:
    cmd: cat source.txt > tokenizer.txt
    deps: [source.txt, "${folders.train_tokenizer}"]
    params: [train_tokenizer, libraries.yaml: [torch]]
    outs: [tokenizer.txt]
  other:
    cmd: cat source.txt > other.txt
    deps: [source.txt]
    params: [libraries.yaml: [numpy]]
    outs: [other.txt]
"""


@pytest.fixture
def started(project: Path, root: Path) -> Path:
    """A project with a folder that a stage may start from, and one that it reads anyway."""
    (project / "dvc.yaml").write_text(STARTS)
    for name in ("folders.yaml", "libraries.yaml"):
        shutil.copy(root / name, project)
    for folder in ("models", "artifacts/corpus"):
        (project / folder).mkdir(parents=True)
        (project / folder / "tokenizer.json").write_text("words")
    return project


def repro() -> None:
    subprocess.run(["dvc", "repro", "-q"], check=True)


def stale(project: Path) -> dict[str, tuple[str, ...]]:
    return {stage.name: stage.changes for stage in read_graph(project) if not stage.fresh}


def test_where_nothing_changed_nothing_is_written(started: Path) -> None:
    before = [(started / name).read_bytes() for name in ("folders.yaml", "libraries.yaml")]
    assert note_inputs(started) == []
    assert [(started / name).read_bytes() for name in ("folders.yaml", "libraries.yaml")] == before


def test_a_project_without_these_files_goes_without(project: Path) -> None:
    assert note_inputs(project) == []


def test_a_folder_that_params_yaml_names_is_an_input_by_content_for_dvc_itself(started: Path) -> None:
    change_params(started / "params.yaml", ("train_tokenizer.from=models",))
    assert note_inputs(started) == ["folders.yaml: train_tokenizer: artifacts/corpus -> models"]
    assert '  train_tokenizer: "models"   # train_tokenizer.from\n' in (started / "folders.yaml").read_text()
    repro()
    assert stale(started) == {}
    (started / "models" / "tokenizer.json").write_text("swords")
    assert stale(started) == {"train_tokenizer": ("deps models modified",)}
    assert "modified:           models" in subprocess.check_output(["dvc", "status"], text=True)

    change_params(started / "params.yaml", ("train_tokenizer.from=null",))
    assert note_inputs(started) == ["folders.yaml: train_tokenizer: models -> artifacts/corpus"]
    assert "train_tokenizer" in stale(started)


def test_another_library_is_told_as_the_reason_before_it_is_noted_and_after(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repro()
    monkeypatch.setattr("components.libraries.installed", lambda name: "9.9" if name == "torch" else installed(name))
    before = installed("torch")
    monkeypatch.setattr("flows.graph.installed", lambda name: "9.9" if name == "torch" else installed(name))
    assert stale(started) == {"train_tokenizer": (f"torch {before} -> 9.9",)}
    assert note_inputs(started) == [f"libraries.yaml: torch: {before} -> 9.9"]
    assert stale(started) == {"train_tokenizer": (f"torch {before} -> 9.9",)}
    assert "torch" in subprocess.check_output(["dvc", "status", "train_tokenizer"], text=True)
    assert (started / "libraries.yaml").read_text().startswith("# Versions")
