"""flows.reproduction.git: git's answers, and its refusals in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ServiceError
from flows.reproduction.git import git, git_or_none


def test_a_command_that_fails_is_told_in_gits_own_words(project: Path) -> None:
    assert git_or_none(project, "show", "nothing") is None
    with pytest.raises(ServiceError, match=r"^`git show` failed: fatal: "):
        git(project, "show", "nothing")


def test_a_machine_without_git_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(ServiceError, match="git is not installed"):
        git(project, "status")
