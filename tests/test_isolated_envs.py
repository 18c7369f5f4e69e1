from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components import isolated_envs
from components.errors import ServiceError
from components.isolated_envs import environment_python


def test_an_environment_is_made_once_and_anew_when_its_pins_change(tmp_path: Path) -> None:
    pins, folder = tmp_path / "pins.lock", tmp_path / "environment"
    pins.write_text("# nothing yet\n")
    python = environment_python(folder, pins, sharing=True)
    made = python.lstat().st_ino
    assert environment_python(folder, pins, sharing=True).lstat().st_ino == made
    (folder / "left").write_text("over")
    pins.write_text("# something else\n")
    environment_python(folder, pins, sharing=True)
    assert not (folder / "left").exists()


def test_an_environment_that_shares_sees_the_projects_packages(tmp_path: Path) -> None:
    pins = tmp_path / "pins.lock"
    pins.write_text("\n")
    python = environment_python(tmp_path / "environment", pins, sharing=True)
    subprocess.run([python, "-c", "import numpy"], check=True, timeout=60)


def test_pins_that_cannot_be_installed_are_told_and_leave_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins, folder = tmp_path / "pins.lock", tmp_path / "environment"
    pins.write_text("not a requirement at all\n")
    with pytest.raises(ServiceError, match="failed: "):
        environment_python(folder, pins, sharing=True)
    assert not (folder / ".pins").exists()
    installed: list[Path] = []
    monkeypatch.setattr(isolated_envs, "_install", lambda python, *rest: installed.append(python))
    environment_python(folder, pins, sharing=True)
    assert installed == [folder / "bin" / "python"]
