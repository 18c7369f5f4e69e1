"""`python -m components.planning`: the same, whoever does the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.forkserver.client import ADDRESS
from tests.preloaded import preloaded


@pytest.mark.parametrize("forked", [True, False])
def test_without_its_options_it_says_what_it_takes(forked: bool, root: Path) -> None:
    environment = os.environ | (preloaded() if forked else {ADDRESS: ""})
    command = [sys.executable, "-m", "components.planning"]
    told = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "the following arguments are required: --params" in told.stderr
