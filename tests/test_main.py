"""`python -m components`: the same, whoever does the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.forkserver.client import ADDRESS
from tests.preloaded import preloaded


@pytest.mark.parametrize("forked", [True, False])
def test_an_unknown_stage_is_a_line(forked: bool, root: Path) -> None:
    environment = os.environ | (preloaded() if forked else {ADDRESS: ""})
    command = [sys.executable, "-m", "components", "pretrian"]
    told = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("error: pretrian: no stage 'pretrian'")
    assert told.stdout == ""
