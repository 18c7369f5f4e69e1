"""Logits to the labels that reach the threshold inside Triton, as `lianzi serve` gives them.

This file becomes TASK_answer/1/model.py and runs where no other file of this project is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """`logits` (FP32, rows x labels) -> `labels` (BYTES, rows, a JSON list each) and `scores` (FP32, rows x labels)."""

    def initialize(self, args: dict[str, str]) -> None:
        path = Path(args["model_repository"], args["model_version"], "task.json")
        task = json.loads(path.read_text(encoding="utf-8"))
        self.labels = task["labels"]
        self.least = np.log(task["threshold"]) - np.log1p(-task["threshold"])

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(pb_utils.get_input_tensor_by_name(request, "logits").as_numpy()) for request in requests]

    def _answer(self, logits: np.ndarray) -> Any:
        small = np.exp(-np.abs(logits))
        scores = (np.where(logits >= 0, 1, small) / (1 + small)).astype(np.float32)
        given = [[self.labels[number] for number in np.flatnonzero(row >= self.least)] for row in logits]
        labels = np.array([json.dumps(row, ensure_ascii=False).encode() for row in given], dtype=np.object_)
        tensors = (("labels", labels), ("scores", scores))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, values) for name, values in tensors])
