"""components.inputs: what changed while a stage ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components import inputs as module
from components.artifacts import write_manifest
from components.errors import InputsChanged
from components.inputs import Inputs, remove
from components.params import read_yaml

PARAMS = (
    "seed: 17\npretrain: {learning_rate: 0.003, steps: 600}\nfinetune: {learning_rate: 0.1}\ntasks: {topic: {n: 1}}\n"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "train.py").write_text("code\n")
    (tmp_path / "tokens").mkdir()
    for name in ("a.npy", "b.npy"):
        (tmp_path / "tokens" / name).write_text(name)
    return tmp_path


@pytest.fixture
def inputs(project: Path) -> Inputs:
    keys = ("seed", "pretrain", "tasks.topic")
    found = Inputs()
    found.add_params(Path("params.yaml"), read_yaml(Path("params.yaml")), keys)
    found.add([project / "train.py", Path("tokens"), Path("not/there")])
    return found


def test_nothing_changed_is_nothing_told(inputs: Inputs) -> None:
    inputs.check()


def test_a_changed_parameter_is_told_with_both_values(project: Path, inputs: Inputs) -> None:
    (project / "params.yaml").write_text(PARAMS.replace("0.003", "0.5"))
    with pytest.raises(InputsChanged, match=r"params.yaml: pretrain.learning_rate: 0.003 -> 0.5\nrun again"):
        inputs.check()


def test_a_parameter_of_another_stage_or_a_remark_is_no_change(project: Path, inputs: Inputs) -> None:
    text = PARAMS.replace("0.1", "0.2").replace("{topic: {n: 1}}", "{topic: {n: 1}, form: {n: 2}}")
    (project / "params.yaml").write_text(f"# a remark\n{text}other: 1\n")
    inputs.check()


def test_params_that_cannot_be_read_any_more_are_a_change(project: Path, inputs: Inputs) -> None:
    (project / "params.yaml").write_text("seed: [\n")
    assert "not YAML" in inputs.changes()[0]


@pytest.mark.parametrize("path", ["train.py", "tokens/a.npy"])
def test_a_changed_file_is_named(project: Path, inputs: Inputs, path: str) -> None:
    (project / path).write_text("other")
    assert inputs.changes() == [path]


def test_a_change_that_keeps_the_size_is_seen(project: Path, inputs: Inputs) -> None:
    (project / "train.py").write_text("CODE\n")
    assert inputs.changes() == ["train.py"]


def test_a_touched_or_replaced_file_with_the_same_content_is_no_change(project: Path, inputs: Inputs) -> None:
    os.utime(project / "train.py", (1, 1))
    (project / "copy").write_text("a.npy")
    (project / "copy").rename(project / "tokens" / "a.npy")
    inputs.check()


def test_files_that_come_and_go_are_told(project: Path, inputs: Inputs) -> None:
    (project / "tokens" / "a.npy").rename(project / "tokens" / "c.npy")
    assert inputs.changes() == ["tokens/a.npy is gone", "tokens/c.npy is new"]


def test_what_dvc_ignores_is_no_change(project: Path, inputs: Inputs) -> None:
    (project / ".dvcignore").write_text("# remark\n__pycache__\n*.sig\n")
    (project / "tokens" / "manifest.sig").write_text("signature")
    inputs.check()


def test_large_files_are_known_by_their_manifest_and_not_read_at_the_start(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(project / "tokens", "tokens", {})
    read: list[str] = []
    hashed = module.file_hash
    monkeypatch.setattr(module, "file_hash", lambda path: read.append(path.name) or hashed(path))
    monkeypatch.setattr(module, "HASHED_BYTES", 2)
    found = Inputs()
    found.add([Path("tokens")])
    assert read == []
    os.utime(project / "tokens" / "a.npy", (1, 1))
    found.check()
    assert read == ["a.npy"]
    (project / "tokens" / "b.npy").write_text("B.npy")
    assert found.changes() == ["tokens/b.npy"]


def test_a_large_file_that_nothing_knows_counts_as_changed_once_touched(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HASHED_BYTES", 2)
    found = Inputs()
    found.add([Path("tokens")])
    os.utime(project / "tokens" / "a.npy", (1, 1))
    assert found.changes() == ["tokens/a.npy"]


def test_a_manifest_that_is_none_of_ours_is_data(project: Path) -> None:
    (project / "tokens" / "manifest.json").write_text('{"files": ["a.npy"]}')
    found = Inputs()
    found.add([Path("tokens")])
    found.check()


def test_no_more_than_three_changes_are_named(project: Path, inputs: Inputs) -> None:
    for number in range(5):
        (project / "tokens" / f"{number}.npy").write_text("new")
    with pytest.raises(InputsChanged, match=r"2\.npy is new and 2 more"):
        inputs.check()


def test_what_was_written_is_removed(project: Path) -> None:
    remove([project / "tokens", project / "train.py", project / "never"])
    assert sorted(path.name for path in project.iterdir()) == ["params.yaml"]


def test_what_never_ends_or_leads_nowhere_is_left_to_the_stage(project: Path) -> None:
    os.mkfifo(project / "tokens" / "pipe")
    (project / "tokens" / "nowhere").symlink_to("gone")
    (project / "tokens" / "circle").symlink_to("circle")
    Inputs().add([Path("tokens")])
