"""Infer requests, well-formed."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np


def texts(*wanted: str, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [len(wanted)], "data": list(wanted)}], **more}


def ids(rows: list[list[int]], **more: Any) -> dict[str, Any]:
    """Rows of one length."""
    shape = [len(rows), len(rows[0])]
    ones = np.ones(shape, dtype=int).tolist()
    described = [("input_ids", rows), ("attention_mask", ones)]
    inputs = [{"name": name, "datatype": "INT64", "shape": shape, "data": data} for name, data in described]
    return {"inputs": inputs, **more}


def in_binary(*wanted: str, **more: Any) -> tuple[bytes, dict[str, str]]:
    """The same texts as binary data: body and headers."""
    data = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in wanted)
    entry = {"name": "text", "datatype": "BYTES", "shape": [len(wanted)], "parameters": {"binary_data_size": len(data)}}
    return with_binary({"inputs": [entry], **more}, data)


def with_binary(content: dict[str, Any], data: bytes) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(content).encode()
    kind = {"content-type": "application/octet-stream"}
    return text + data, {"inference-header-content-length": str(len(text)), **kind}


def read_binary(body: bytes, json_length: str) -> dict[str, Any]:
    """Outputs of an answer whose tensors are all binary data."""
    content, place = json.loads(body[: int(json_length)]), int(json_length)
    outputs: dict[str, Any] = {}
    for entry in content["outputs"]:
        size = entry["parameters"]["binary_data_size"]
        data, place = body[place : place + size], place + size
        if entry["datatype"] == "FP32":
            outputs[entry["name"]] = np.frombuffer(data, "<f4").reshape(entry["shape"])
        else:
            outputs[entry["name"]] = [part.decode() for part in _parts(data)]
    assert place == len(body)
    return outputs


def _parts(data: bytes) -> list[bytes]:
    parts = []
    while data:
        (length,) = struct.unpack("<I", data[:4])
        parts.append(data[4 : 4 + length])
        data = data[4 + length :]
    return parts
