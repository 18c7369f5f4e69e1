"""Bodies of the Open Inference Protocol: parses infer requests and writes their responses.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md, with Triton's
binary tensor data extension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from components.serving.request_error import RequestError
from components.serving.tensors import DATATYPES, Tensor, from_binary, from_json, to_binary, to_flat

JSON_LENGTH = "inference-header-content-length"
"""The header with the length of the JSON before binary data."""

MAX_DIMENSIONS = 8
DIGITS = 19
"""Of the largest number of bytes there can be; Python itself refuses to read one of thousands of digits."""


@dataclass(frozen=True)
class InferRequest:
    """`outputs` maps each requested output to whether it is returned as binary data; empty: all outputs."""

    id: str | None
    inputs: dict[str, Tensor]
    outputs: dict[str, bool]
    binary: bool


def byte_count(given: str) -> int | None:
    """A number of bytes, None for anything else: a sign, a digit of another script, more than any body has."""
    plain = given.isascii() and given.isdigit() and len(given.lstrip("0")) <= DIGITS
    return int(given) if plain and len(given) <= 2 * DIGITS else None


def read_request(body: bytes, json_length: str | None) -> InferRequest:
    """Parse an infer request's body. Raises RequestError."""
    text, binary = _split(body, json_length)
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise RequestError(400, "the body is not a JSON object")
    parameters = _parameters(content, "the request")
    inputs, rest = _inputs(_list(content, "inputs"), binary)
    if rest:
        raise RequestError(400, f"{len(rest)} bytes of binary data that no input claims")
    everything_binary = _flag(parameters, "binary_data_output", False)
    outputs = _outputs(_list(content, "outputs") if "outputs" in content else [], everything_binary)
    return InferRequest(_id(content), inputs, outputs, everything_binary)


def write_answer(
    name: str, version: str, request: InferRequest, outputs: Sequence[Tensor]
) -> tuple[bytes, dict[str, str]]:
    """The body and its headers."""
    tail: list[bytes] = []
    described = []
    for tensor in outputs:
        entry: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if request.outputs.get(tensor.name, request.binary):
            tail.append(to_binary(tensor))
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = to_flat(tensor)
        described.append(entry)
    content = {"model_name": name, "model_version": version, "outputs": described}
    if request.id is not None:
        content["id"] = request.id
    text = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tail:
        return text, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", JSON_LENGTH: str(len(text))}
    return b"".join([text, *tail]), headers


def _split(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    if json_length is None:
        return body, b""
    length = byte_count(json_length)
    if length is None or length > len(body):
        raise RequestError(
            400, f"Inference-Header-Content-Length is not a number of bytes of this {len(body)}-byte body"
        )
    return body[:length], body[length:]


def _inputs(described: list[Any], binary: bytes) -> tuple[dict[str, Tensor], bytes]:
    """The input tensors, and the binary data that is left over."""
    inputs: dict[str, Tensor] = {}
    for entry in described:
        name, datatype, shape = _header(entry)
        if name in inputs:
            raise RequestError(400, f"input '{name}' is given twice")
        parameters = _parameters(entry, f"input '{name}'")
        unknown = set(parameters) - {"binary_data_size"}
        if unknown:
            raise RequestError(400, f"input '{name}': parameter '{_shown(min(unknown))}' is not supported")
        if "binary_data_size" in parameters:
            size = _binary_size(name, entry, parameters["binary_data_size"], len(binary))
            inputs[name] = from_binary(name, datatype, shape, binary[:size])
            binary = binary[size:]
        elif "data" in entry:
            inputs[name] = from_json(name, datatype, shape, entry["data"])
        else:
            raise RequestError(400, f"input '{name}': neither data nor binary_data_size")
    return inputs, binary


def _header(entry: Any) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise RequestError(400, "each input is an object with a name, a shape, a datatype and data")
    name = _shown(entry["name"])
    datatype, shape = entry.get("datatype"), entry.get("shape")
    if datatype not in DATATYPES:
        raise RequestError(400, f"input '{name}': datatype is one of {', '.join(DATATYPES)}")
    if not isinstance(shape, list) or not 0 < len(shape) <= MAX_DIMENSIONS:
        raise RequestError(400, f"input '{name}': shape is a list of 1 to {MAX_DIMENSIONS} numbers")
    if not all(type(size) is int and 0 < size < 1 << 31 for size in shape):
        raise RequestError(400, f"input '{name}': each number of shape is a whole one above zero")
    return name, datatype, tuple(shape)


def _binary_size(name: str, entry: Mapping[str, Any], size: Any, there: int) -> int:
    if "data" in entry:
        raise RequestError(400, f"input '{name}': both data and binary_data_size")
    if type(size) is not int or size < 0:
        raise RequestError(400, f"input '{name}': binary_data_size is a number of bytes")
    if size > there:
        raise RequestError(400, f"input '{name}': binary_data_size is {size}, {there} bytes are left in the body")
    return size


def _outputs(described: list[Any], binary: bool) -> dict[str, bool]:
    outputs: dict[str, bool] = {}
    for entry in described:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise RequestError(400, "each output is an object with a name")
        name = _shown(entry["name"])
        if name in outputs:
            raise RequestError(400, f"output '{name}' is requested twice")
        parameters = _parameters(entry, f"output '{name}'")
        unknown = set(parameters) - {"binary_data"}
        if unknown:
            raise RequestError(400, f"output '{name}': parameter '{_shown(min(unknown))}' is not supported")
        outputs[name] = _flag(parameters, "binary_data", binary)
    return outputs


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    if not isinstance(found, list) or (name == "inputs" and not found):
        raise RequestError(400, f"'{name}' is missing or no list of tensors")
    return found


def _parameters(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(400, f"{where}: parameters is an object")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(400, f"parameter '{name}' is true or false")
    return value


def _id(content: Mapping[str, Any]) -> str | None:
    found = content.get("id")
    if found is not None and not isinstance(found, str):
        raise RequestError(400, "'id' is a string")
    return found


def _shown(name: str) -> str:
    """A client's name, shortened and printable, for an error message."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:60])
