"""flows.scheduling.overrides: params.yaml has a run's settings while it runs, and is then as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.errors import ParameterError
from flows.scheduling.overrides import JOURNAL, overridden, restore_params

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
