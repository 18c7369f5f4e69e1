"""What every test shares: the repository's root, params that are small, a run that remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.params import Params, load_params
from components.run import RecordedRun

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters that ship."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def run() -> RecordedRun:
    return RecordedRun()
