"""The last model's model.py, run from a written repository; `triton_python_backend_utils` is a stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.deployment.triton import TritonSettings, write_repository
from components.runtime.prediction import softmax
from tests.deployment.triton_stand_in import Repository
from tests.small_ladder import LABELS, Ladder


def test_labels_and_scores_are_those_of_lianzi_serve(ladder: Ladder, tmp_path: Path) -> None:
    write_repository(ladder.bundle, tmp_path, TritonSettings())
    logits = np.array([[0.1, 9.0, -3.0], [-1.0, -2.0, -0.5], [90.0, 2.0, 1.0]], dtype=np.float32)
    found = Repository(tmp_path).infer("places_answer", {"logits": logits})
    assert [label.decode() for label in found["label"]] == [LABELS[1], LABELS[2], LABELS[0]]
    assert (found["scores"] == softmax(logits)).all()
