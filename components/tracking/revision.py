"""The revision of the project that a run used: the commit, the diff to it, and a name for both."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components.params import flatten

PARAMS_FILE = "params.yaml"
COMMIT = "mlflow.source.git.commit"
GIT_TAGS = (COMMIT, "git.dirty")
"""Tags that hold for a whole pipeline run: its stages write into the work tree, which git would call a change."""
_OUTPUTS = (":(exclude)dvc.lock", ":(exclude)metrics")
"""Outputs of stages, which DVC deletes before a stage runs; they are no inputs and do not count as changes."""
_APPLICABLE = ("--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
"""A patch that `git apply` takes, whatever a person's settings make of diffs."""
_LONGEST_NAME = 120
_LONGEST_DIFF = 2_000_000


def git_tags() -> dict[str, str]:
    """The current commit, and whether code, parameters or data.dvc differ from it."""
    commit = _git("rev-parse", "HEAD").strip()
    if not commit:
        return {}
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *_OUTPUTS) or _new_code()
    return {COMMIT: commit, "git.dirty": str(bool(changed)).lower()}


def git_diff() -> str:
    """The diff to the commit, as a patch, untracked code included."""
    patch = _git("diff", *_APPLICABLE, "HEAD", "--", ".", *_OUTPUTS)
    new = (_git("diff", *_APPLICABLE, "--no-index", "--", "/dev/null", path, accepted=1) for path in _new_code())
    patch += "".join(new)
    return (
        patch if len(patch) <= _LONGEST_DIFF else f"{patch[:_LONGEST_DIFF]}\n[cut after {_LONGEST_DIFF:,} characters]"
    )


def run_name(settings: Sequence[str] = ()) -> str:
    """The name of a pipeline run: the experiment's name, or the changes since the commit, or the commit; and the
    time. `settings`: changes that this run alone will make, as KEY=VALUE.
    """
    if experiment := os.environ.get("DVC_EXP_NAME"):
        return experiment
    changed = {key: f"{key}={value}" for key, value in changed_params().items()}
    told = ", ".join((changed | {setting.partition("=")[0]: setting for setting in settings}).values())
    if len(told) > _LONGEST_NAME:
        told = f"{told[: _LONGEST_NAME - 1]}…"
    commit = _git("rev-parse", "--short", "HEAD").strip()
    return f"{told or commit or 'no commit'} · {datetime.now():%Y-%m-%d %H:%M}"


def changed_params() -> dict[str, Any]:
    """The parameters that differ from the commit."""
    committed = _flat(_git("show", f"HEAD:./{PARAMS_FILE}"))
    now = flat_params()
    return {key: value for key, value in now.items() if committed and committed.get(key) != value}


def flat_params() -> dict[str, Any]:
    """Every parameter of params.yaml by its dotted name; none where the file is missing."""
    path = Path(PARAMS_FILE)
    return _flat(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _flat(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML, YAMLError

    try:
        content = YAML(typ="safe").load(text)
    except YAMLError:
        return {}
    return flatten(content) if isinstance(content, dict) else {}


def _new_code() -> list[str]:
    return _git("ls-files", "--others", "--exclude-standard", "--", "components").splitlines()


def _git(*words: str, accepted: int = 0) -> str:
    """The output of git; empty where git fails or is not installed."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return done.stdout if done.returncode in (0, accepted) else ""
