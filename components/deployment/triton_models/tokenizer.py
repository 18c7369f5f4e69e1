"""Texts to token ids inside Triton: what components.runtime.encoding does, with the `tokenizers` package alone.

This file becomes TASK_tokenizer/1/model.py and runs where no other file of this project is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class TritonPythonModel:
    """`text`, or the columns of a task with several (BYTES, rows) -> `input_ids`, `attention_mask` and, where the graph
    takes them, `token_type_ids` (INT64, rows x tokens), padded on the right."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = config["parameters"]
        self.texts, self.tensors = ([one["name"] for one in config[side]] for side in ("input", "output"))
        self.max_length, self.pad_id, self.pad_to = (
            int(parameters[name]["string_value"]) for name in ("max_length", "pad_id", "pad_to")
        )
        path = Path(args["model_repository"], args["model_version"], "tokenizer.json")
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.max_length)

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        columns = []
        for name in self.texts:
            texts = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            try:
                columns.append([text.decode() for text in texts.reshape(-1)])
            except UnicodeDecodeError as error:
                return _refused(f"input '{name}': not UTF-8: {error.reason}")
            if not columns[-1]:
                return _refused(f"input '{name}': no rows")
            if len(columns[-1]) != len(columns[0]):
                return _refused(f"input '{name}': {len(columns[-1])} rows, '{self.texts[0]}' has {len(columns[0])}")
        rows = self.tokenizer.encode_batch_fast(columns[0] if len(columns) == 1 else list(zip(*columns, strict=True)))
        ids, mask = self._pad([encoding.ids for encoding in rows])
        types = np.zeros_like(ids)
        for number, encoding in enumerate(rows):
            types[number, : len(encoding.ids)] = encoding.type_ids
        found = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, found[name]) for name in self.tensors])

    def _pad(self, rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """To a multiple of `pad_to`: Triton batches requests of one width only, so few widths make full batches."""
        longest = max(map(len, rows))
        width = max(longest, min(-(-longest // self.pad_to) * self.pad_to, self.max_length))
        ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return ids, mask


def _refused(reason: str) -> Any:
    return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(reason))
