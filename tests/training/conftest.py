"""What tests of several training modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.params import Params
from tests.small_tuning import Tuner, pretrained_folder


@pytest.fixture
def tune(params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path) -> Tuner:
    return Tuner(params, task_rows, pretrained_folder(tmp_path / "pretrained", tokenizer_folder), tmp_path)
