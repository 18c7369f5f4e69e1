"""flows.scheduling.overrides: params.yaml has a run's settings while it runs, and is then as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from components.errors import ParameterError
from components.replacing import replace_text
from flows.graph import Stage
from flows.scheduling import overrides
from flows.scheduling.overrides import JOURNAL, overridden, restore_params
from flows.settings import changed_project

SETTING = "finetune.epochs=9"


def test_settings_hold_for_the_block_alone(project: Path) -> None:
    path = project / "params.yaml"
    before = path.read_text()
    with overridden(project, [SETTING]) as changes:
        assert "epochs: 9" in path.read_text()
    assert len(changes) == 1
    assert path.read_text() == before
    assert not (project / JOURNAL).exists()


def test_a_wrong_setting_changes_nothing(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    with pytest.raises(ParameterError, match="finetune"), overridden(project, ["finetune.epohcs=9"]):
        raise AssertionError("no run begins")
    assert (project / "params.yaml").read_text() == before
    assert not (project / JOURNAL).exists()


def test_an_edit_made_while_the_project_is_checked_stays(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "params.yaml"
    before = path.read_text()

    def edits_and_checks(root: Path, settings: tuple[str, ...]) -> tuple[list[str], list[Stage]]:
        path.write_text(path.read_text().replace("seed: ", "seed: 1"))
        return changed_project(root, settings)

    monkeypatch.setattr(overrides, "changed_project", edits_and_checks)
    with overridden(project, [SETTING]):
        assert "epochs: 9" in path.read_text()
    assert path.read_text() == before.replace("seed: ", "seed: 1")


def test_the_journal_is_whole_before_params_yaml_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "params.yaml"
    before, written = path.read_text(), []

    def note(target: Path, text: str) -> None:
        written.append(target.name)
        replace_text(target, text)
        assert json.loads((project / JOURNAL).read_text()).keys() == {"before", "after"}

    monkeypatch.setattr(overrides, "replace_text", note)
    with overridden(project, [SETTING]):
        assert json.loads((project / JOURNAL).read_text()) == {"before": before, "after": path.read_text()}
    assert written == ["overridden.json", "params.yaml", "params.yaml"]


@pytest.mark.parametrize("content", ["", "[]", '{"before": "'])
def test_a_damaged_journal_is_told_with_what_to_do(project: Path, content: str) -> None:
    (project / JOURNAL).parent.mkdir(exist_ok=True)
    (project / JOURNAL).write_text(content)
    with pytest.raises(ParameterError, match=r"overridden.json: damaged.*\nlook at `git diff params.yaml`"):
        restore_params(project)


KILLED = """
import os, sys
from pathlib import Path
from flows.scheduling.overrides import overridden
with overridden(Path.cwd(), ["finetune.epochs=9"]):
    os._exit(9)
"""


def _killed(project: Path, root: Path) -> None:
    subprocess.run(["python", "-c", KILLED], cwd=project, env=_environment(root), check=False)


def _environment(root: Path) -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(root)}


def test_a_killed_runs_settings_are_taken_back_by_the_next(project: Path, root: Path) -> None:
    path = project / "params.yaml"
    before = path.read_text()
    _killed(project, root)
    assert path.read_text() != before
    assert restore_params(project)
    assert path.read_text() == before
    assert restore_params(project) == []


def test_what_a_person_edited_meanwhile_stays(project: Path, root: Path) -> None:
    path = project / "params.yaml"
    before = path.read_text()
    _killed(project, root)
    path.write_text(path.read_text().replace("seed: ", "seed: 1"))
    restore_params(project)
    assert path.read_text() == before.replace("seed: ", "seed: 1")
