"""components.stages: light to import, right to look up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from components.stages import STAGES, stage_function


def test_the_table_imports_no_library_of_a_stage() -> None:
    program = "import sys, components.stages; assert not {'torch', 'mlflow', 'pandas'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("stage", ["curate", "train_tokenizer", "tokenize"])
def test_text_stages_do_without_torch(stage: str) -> None:
    program = (
        f"import sys; from components.stages import *; stage_function({stage!r}); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_stage_is_found() -> None:
    assert all(callable(stage_function(name)) for name in STAGES)
