"""Logits to labels and probabilities inside Triton, as `lianzi serve` gives them.

This file becomes TASK_answer/1/model.py and runs where no other file of this project is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """`logits` (FP32, rows x labels) -> `label` (BYTES, rows) and `scores` (FP32, rows x labels)."""

    def initialize(self, args: dict[str, str]) -> None:
        path = Path(args["model_repository"], args["model_version"], "task.json")
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        self.labels = np.array([label.encode() for label in labels], dtype=np.object_)

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(pb_utils.get_input_tensor_by_name(request, "logits").as_numpy()) for request in requests]

    def _answer(self, logits: np.ndarray) -> Any:
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        tensors = (("label", self.labels[logits.argmax(axis=-1)]), ("scores", scores))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, values) for name, values in tensors])
