"""components.serving.protocol: bodies in and out. What is malformed stands in malformed.py and is asked over HTTP."""

from __future__ import annotations

import json

import numpy as np
import pytest

from components.serving.protocol import byte_count, read_request, write_answer
from components.serving.tensors import Tensor
from tests.serving.asking import in_binary, read_binary, texts

OUTPUTS = [Tensor("label", "BYTES", (1,), ["詩"]), Tensor("scores", "FP32", (1, 2), np.float32([[0.25, 0.75]]))]


def asked(**more: object) -> bytes:
    return json.dumps(texts("ship", **more)).encode()


def test_unknown_fields_are_no_mistake() -> None:
    """The protocol lets servers and clients add what they like."""
    request = read_request(asked(parameters={"priority": 1, "sequence_id": 3}, comment="hm"), None)
    assert request.inputs["text"].values == ["ship"]
    assert (request.outputs, request.binary) == ({}, False)


def test_an_outputs_own_wish_goes_before_the_requests() -> None:
    wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "scores"}]
    request = read_request(asked(outputs=wanted, parameters={"binary_data_output": True}), None)
    assert request.outputs == {"label": False, "scores": True}


def test_an_answer_in_json() -> None:
    body, headers = write_answer("form", "3", read_request(asked(id="x"), None), OUTPUTS)
    assert headers == {"content-type": "application/json"}
    assert json.loads(body) == {
        "model_name": "form",
        "model_version": "3",
        "id": "x",
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["詩"]},
            {"name": "scores", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]},
        ],
    }


def test_an_answer_in_binary() -> None:
    sent, headers = in_binary("海", parameters={"binary_data_output": True})
    request = read_request(sent, headers["inference-header-content-length"])
    assert request.inputs["text"].values == ["海"]
    body, headers = write_answer("form", "3", request, OUTPUTS)
    found = read_binary(body, headers["inference-header-content-length"])
    assert found["label"] == ["詩"]
    assert found["scores"].tolist() == [[0.25, 0.75]]


def test_a_number_of_bytes_is_read() -> None:
    assert [byte_count(given) for given in ("0", "20", "007", str(10**18))] == [0, 20, 7, 10**18]


@pytest.mark.parametrize(
    "given",
    ["", "-1", "+1", " 1", "1.0", "1e3", "1_0", "0x1", "ten", "nan", "²", "٣", "１", "9" * 20, "9" * 5000, "0" * 5000],
)
def test_anything_else_is_none(given: str) -> None:
    assert byte_count(given) is None
