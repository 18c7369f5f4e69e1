"""components.tracking.inputs: data known by DVC's hashes, and what it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import digest, write_manifest
from components.tracking.inputs import dvc_hashes, inputs_of, made_from, read_lock, read_yaml

LOCK = """
stages:
  curate:
    deps:
    - {path: data, md5: 01.dir}
    outs:
    - {path: artifacts/corpus, md5: 02.dir}
    - {path: artifacts/tasks, md5: 03.dir}
  pretrain:
    deps:
    - {path: artifacts/corpus, md5: 02.dir}
    outs:
    - {path: artifacts/pretrained, md5: 04.dir}
  finetune@topic:
    deps:
    - {path: artifacts/tasks/topic, md5: 05.dir}
    - {path: artifacts/pretrained, md5: 04.dir}
    outs:
    - {path: artifacts/topic/teacher, md5: 06.dir}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 01.dir\n  path: data\n")
    rows = tmp_path / "artifacts" / "tasks" / "topic"
    rows.mkdir(parents=True)
    (rows / "train.jsonl").write_text('{"text": "a whale"}\n')
    write_manifest(rows, "task", {})
    (tmp_path / "artifacts" / "pretrained").mkdir()
    return tmp_path


def test_labelled_rows_lie_in_an_output_and_are_known_by_their_manifest(project: Path) -> None:
    rows = Path("artifacts/tasks/topic")
    found = {item.name: item.digest for item in inputs_of([rows, Path("artifacts/pretrained"), Path("elsewhere")])}
    assert found == {"artifacts/tasks/topic": digest(rows)[:36], "artifacts/pretrained": "04.dir"}
    assert dvc_hashes()["data"] == "01.dir"


def test_a_stage_was_made_from_all_that_is_before_it(project: Path) -> None:
    lock = read_lock()
    assert set(made_from([Path("artifacts/topic/teacher")], lock)) == {"finetune@topic", "pretrain", "curate"}
    assert set(made_from([Path("artifacts/tasks/form")], lock)) == {"curate"}
    assert made_from([Path("data")], lock) == []


def test_a_word_of_yaml_1_1_is_a_word(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: {a: {params: {params.yaml: {words: [on, no, yes]}}}}\n")
    assert read_yaml(tmp_path / "dvc.lock")["stages"]["a"]["params"]["params.yaml"]["words"] == ["on", "no", "yes"]
    assert read_yaml(tmp_path / "missing.yaml") == {}
