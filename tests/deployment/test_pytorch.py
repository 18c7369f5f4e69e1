from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.deployment.pytorch import load_model, torch_infer
from components.errors import ArtifactError
from tests.small_ladder import Ladder


def test_a_checkpoint_is_loaded_in_float32_without_dropout(ladder: Ladder) -> None:
    model = load_model(ladder.student)
    assert model.dtype == torch.float32
    assert not model.training


def test_logits_are_one_row_a_text_and_repeat(ladder: Ladder) -> None:
    infer = torch_infer(load_model(ladder.student))
    ids = np.array([[1, 9, 2], [1, 2, 0]])
    mask = np.array([[1, 1, 1], [1, 1, 0]])
    found = infer(ids, mask)
    assert found.shape == (2, 3)
    assert found.dtype == np.float32
    assert np.array_equal(found, infer(ids, mask))


def test_a_folder_that_is_no_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nothing: not a classifier"):
        load_model(tmp_path / "nothing")
