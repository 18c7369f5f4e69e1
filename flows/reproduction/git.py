"""git as reproduction calls it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from components.errors import ServiceError, first_line


def git_or_none(root: Path, *words: str, given: str | None = None) -> str | None:
    """The output of git; None where it fails. Raises ServiceError where git is not installed."""
    done = _run(root, words, given, {})
    return done.stdout if done.returncode == 0 else None


def git(root: Path, *words: str, given: str | None = None, variables: Mapping[str, str] = MappingProxyType({})) -> str:
    """The output of git; `given` is its input, `variables` stand in its environment beside this process's own.

    Raises ServiceError with git's first line where it fails.
    """
    done = _run(root, words, given, variables)
    if done.returncode != 0:
        raise ServiceError(f"`git {words[0]}` failed: {first_line(done.stderr or done.stdout)[:200]}")
    return done.stdout


def _run(
    root: Path, words: tuple[str, ...], given: str | None, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *words],
            cwd=root,
            env=os.environ | variables,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        raise ServiceError("git is not installed", "a result is reproduced from its commit") from None
