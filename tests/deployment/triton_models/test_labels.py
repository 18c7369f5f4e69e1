"""The last model.py of a model with several labels, run by itself; `triton_python_backend_utils` is a stand-in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import struct_pb2

from components.deployment import triton_models
from components.runtime.answers import LABEL_SET
from components.tasks.multi_label import MultiLabel
from tests.deployment.triton_stand_in import load_python_model

TASK = MultiLabel(("海", "field", "city"), 0.4)
LOGITS = np.float32([[2, -1, -0.3], [-9, -9, -9], [90, -90, 0]])


def test_labels_and_scores_are_those_of_lianzi_serve(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    shutil.copyfile(Path(triton_models.__path__[0], "labels.py"), tmp_path / "1" / "model.py")
    (tmp_path / "1" / "task.json").write_text(json.dumps(TASK.manifest()), encoding="utf-8")
    model = load_python_model(tmp_path, struct_pb2.Struct())
    answer = {one.name: one.values for one in model.execute([{"logits": LOGITS}])[0].output_tensors}
    served = {name: tensor.values for name, tensor in LABEL_SET.tensors.items() if tensor.values}
    assert [one.decode() for one in answer["labels"]] == served["labels"](TASK, LOGITS)
    assert [json.loads(one) for one in answer["labels"]] == [["海", "city"], [], ["海", "city"]]
    assert answer["scores"] == pytest.approx(served["scores"](TASK, LOGITS))
    assert answer["scores"].dtype == np.float32
