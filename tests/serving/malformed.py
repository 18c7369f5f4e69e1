"""Requests that are wrong in one way each: (what is wrong, body, headers, status, part of the reason)."""

from __future__ import annotations

import json
import struct
from typing import Any

from tests.serving.asking import ids, in_binary, texts, with_binary

Case = tuple[str, bytes, dict[str, str], int, str]

TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["ship"]}
JSON = {"content-type": "application/json"}


def one(**changes: Any) -> bytes:
    """A request whose one input is changed; None takes a field away."""
    entry = {name: value for name, value in (TEXT | changes).items() if value is not None}
    return json.dumps({"inputs": [entry]}).encode()


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


def numbers(name: str, **changes: Any) -> bytes:
    """Token ids with one of the two inputs changed; None takes it away."""
    content = ids([[1, 5, 2]])
    if changes.get("entry", 0) is None:
        content["inputs"] = [entry for entry in content["inputs"] if entry["name"] != name]
    for entry in content["inputs"]:
        if entry["name"] == name:
            entry.update(changes)
    return body(content)


def binary(size: Any, tail: bytes, **changes: Any) -> tuple[bytes, dict[str, str]]:
    entry = {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}} | changes
    return with_binary({"inputs": [entry]}, tail)


DIGITS = b"9" * 5000
"""More than Python reads as a number."""
SHIP = struct.pack("<I", 4) + b"ship"
OCTETS = {"content-type": "application/octet-stream"}


def _inputs() -> list[tuple[str, bytes, int, str]]:
    return [
        ("an empty body", b"", 400, "not valid JSON"),
        ("no JSON", b"ship", 400, "not valid JSON"),
        ("JSON cut off", one()[:-5], 400, "not valid JSON"),
        ("bytes that are no UTF-8", b'{"inputs": "\xff"}', 400, "not valid JSON"),
        ("a lone surrogate", b'{"inputs":[{"name":"text","data":["\\ud800"]}]}', 400, "not valid JSON"),
        ("NaN", one(shape=[1]).replace(b'"ship"', b"NaN"), 400, "not valid JSON"),
        ("infinity", one().replace(b'"ship"', b"Infinity"), 400, "not valid JSON"),
        ("deep nesting", b"[" * 5000, 400, "not valid JSON"),
        ("a list", b"[]", 400, "not a JSON object"),
        ("a string", b'"ship"', 400, "not a JSON object"),
        ("no inputs", b"{}", 400, "'inputs' is missing"),
        ("inputs that are none", body({"inputs": []}), 400, "'inputs' is missing"),
        ("inputs that are an object", body({"inputs": {"text": ["ship"]}}), 400, "'inputs' is missing or no list"),
        ("an input that is a string", body({"inputs": ["ship"]}), 400, "each input is an object"),
        ("an input without a name", one(name=None), 400, "each input is an object with a name"),
        ("an input of another name", one(name="words"), 400, "no input 'words': it takes text"),
        ("an input twice", body({"inputs": [TEXT, TEXT]}), 400, "input 'text' is given twice"),
        ("no datatype", one(datatype=None), 400, "datatype is one of BYTES"),
        ("a datatype there is not", one(datatype="STRING"), 400, "datatype is one of BYTES"),
        ("a datatype that does not fit the data", one(datatype="INT64"), 400, "whole number"),
        ("a datatype that does not fit the model", one(datatype="INT64", data=[3]), 400, "'text' is BYTES, not INT64"),
        ("floats", one(datatype="FP32", data=[0.5]), 400, "FP32 is not supported"),
    ]  # fmt: skip


def _shapes_and_data() -> list[tuple[str, bytes, int, str]]:
    return [
        ("no shape", one(shape=None), 400, "shape is a list"),
        ("an empty shape", one(shape=[]), 400, "shape is a list of 1 to"),
        ("a shape of nine", one(shape=[1] * 9), 400, "shape is a list of 1 to"),
        ("a negative shape", one(shape=[-1]), 400, "above zero"),
        ("no rows", one(shape=[0], data=[]), 400, "above zero"),
        ("half a row", one(shape=[0.5]), 400, "above zero"),
        ("true rows", one(shape=[True]), 400, "above zero"),
        ("a huge shape", one(shape=[2**40]), 400, "above zero"),
        ("a shape of more rows than there are", one(shape=[2]), 400, "1 elements, shape [2] needs 2"),
        ("two texts a row", one(shape=[1, 2], data=["ship", "sail"]), 400, "[rows] or [rows, 1], not [1, 2]"),
        ("ragged data", one(shape=[2, 1], data=[["ship"], ["sail", "sea"]]), 400, "does not match shape"),
        ("data nested in part", one(shape=[2, 1], data=[["ship"], "sail"]), 400, "does not match shape"),
        ("data nested too deep", one(data=[["ship"]]), 400, "is a string"),
        ("no data", one(data=None), 400, "neither data nor binary_data_size"),
        ("data that is a string", one(data="ship"), 400, "data is a list"),
        ("a number for a text", one(data=[3]), 400, "is a string"),
        ("null for a text", one(data=[None]), 400, "is a string"),
        ("a blank text", one(data=[" "]), 422, "text 0 is blank"),
        ("too many rows", body(texts(*["ship"] * 17)), 422, "17 rows, at most 16"),
        ("a text that is too long", body(texts("ship " * 101)), 422, "505 characters, at most 500"),
        ("a body that is too long", body(texts("x" * 20_000)), 413, "at most 20000"),
    ]  # fmt: skip


def _options_and_names() -> list[tuple[str, bytes, int, str]]:
    return [
        ("text and ids", body({"inputs": [TEXT, *ids([[1, 2]])["inputs"]]}), 400, "not both"),
        ("parameters that are a list", body(texts("ship", parameters=[])), 400, "parameters is an object"),
        ("shared memory", one(parameters={"shared_memory_region": "a"}), 400, "shared_memory_region' is not supported"),
        ("a flag of another kind", body(texts("a", parameters={"binary_data_output": 1})), 400, "true or false"),
        ("a number for an id", body(texts("ship", id=3)), 400, "'id' is a string"),
        ("outputs that are an object", body(texts("ship", outputs={})), 400, "'outputs' is missing or no list"),
        ("an output without a name", body(texts("ship", outputs=[{}])), 400, "each output is an object"),
        ("an output there is not", body(texts("ship", outputs=[{"name": "mood"}])), 400, "no output 'mood': it gives"),
        ("an output twice", body(texts("a", outputs=[{"name": "label"}] * 2)), 400, "'label' is requested twice"),
        (
            "classification",
            body(texts("a", outputs=[{"name": "label", "parameters": {"classification": 2}}])),
            400,
            "'classification' is not supported",
        ),
        ("line breaks in a name", one(name="a\nb"), 400, "no input 'a?b'"),
        ("a datatype that is a list", one(datatype=["BYTES"]), 400, "datatype is one of BYTES"),
        ("a name that is a number", one(name=3), 400, "each input is an object with a name"),
        ("a shape of 5,000 digits", one(shape=[7]).replace(b"[7]", b"[" + DIGITS + b"]"), 400, "not valid JSON"),
        ("a shape of 64 bits", one(shape=[2**64 - 1]), 400, "above zero"),
        ("a shape past any float", one(shape=[7]).replace(b"[7]", b"[1e400]"), 400, "not valid JSON"),
        ("a shape whose product is huge", one(shape=[2**31 - 1] * 8), 400, "1 elements, shape"),
        ("a shape in words", one(shape=["1"]), 400, "above zero"),
    ]  # fmt: skip


def _numbers() -> list[tuple[str, bytes, int, str]]:
    return [
        ("no mask", numbers("attention_mask", entry=None), 400, "'attention_mask' is missing"),
        ("no ids", numbers("input_ids", entry=None), 400, "'input_ids' is missing"),
        ("ids as floats", numbers("input_ids", data=[1.0, 5.0, 2.0]), 400, "whole number"),
        ("ids as booleans", numbers("attention_mask", data=[True, True, True]), 400, "whole number"),
        ("an id of more than 64 bits", numbers("input_ids", data=[1, 2**63, 2]), 400, "does not fit into INT64"),
        (
            "an id of 5,000 digits",
            numbers("input_ids", data=[7]).replace(b"[7]", b"[" + DIGITS + b"]"),
            400,
            "not valid",
        ),
        ("ids that are no number", numbers("input_ids", data=[7]).replace(b"[7]", b"[NaN]"), 400, "not valid JSON"),
        ("an id below zero", numbers("input_ids", data=[1, -5, 2]), 422, "not in 0 to"),
        ("an id the tokenizer lacks", numbers("input_ids", data=[1, 99_999, 2]), 422, "not in 0 to"),
        ("ids without rows", numbers("input_ids", shape=[3], data=[1, 5, 2]), 400, "shape [rows, tokens]"),
        ("a mask of another shape", numbers("attention_mask", shape=[1, 2], data=[1, 1]), 400, "attention_mask [1, 2]"),
        ("a mask with a hole", numbers("attention_mask", data=[1, 0, 1]), 400, "ones, at least one, and then zeros"),
        ("a mask of twos", numbers("attention_mask", data=[2, 1, 1]), 400, "ones, at least one, and then zeros"),
        ("a mask of zeros", numbers("attention_mask", data=[0, 0, 0]), 400, "ones, at least one, and then zeros"),
        ("more tokens than the model takes", body(ids([[1] * 25])), 422, "25 tokens a row, the model takes 24"),
    ]


def _binary() -> list[tuple[str, tuple[bytes, dict[str, str]], int, str]]:
    good, headers = in_binary("ship")
    long = headers | {"inference-header-content-length": "99999"}
    three = json.loads(numbers("input_ids"))
    three["inputs"][0] |= {"parameters": {"binary_data_size": 8}}
    del three["inputs"][0]["data"]
    return [
        ("a JSON length past the body", (good, long), 400, "not a number of bytes of this"),
        ("a JSON length in words", (good, headers | {"inference-header-content-length": "ten"}), 400, "not a number"),
        ("a negative JSON length", (good, headers | {"inference-header-content-length": "-1"}), 400, "not a number"),
        *(
            (
                f"a JSON length of {given[:8]!r}",
                (good, headers | {"inference-header-content-length": given}),
                400,
                "not a n",
            )
            for given in ("9" * 5000, "0" * 5000, str(2**64), "+8", "8.0", "1_0", "0x8", "1e1", "nan", "inf", "")
        ),
        ("a JSON length too short", (good, headers | {"inference-header-content-length": "9"}), 400, "not valid JSON"),
        ("binary data without its header", (good, OCTETS), 400, "not valid JSON"),
        ("a size past the body", binary(20, SHIP), 400, "binary_data_size is 20, 8 bytes are left"),
        ("a size below the data", binary(6, SHIP), 400, "ends inside a string"),
        ("a size inside a length", binary(3, SHIP), 400, "ends inside a length"),
        ("a size in words", binary("8", SHIP), 400, "is a number of bytes"),
        ("a negative size", binary(-1, SHIP), 400, "is a number of bytes"),
        ("a size of 64 bits", binary(2**64 - 1, SHIP), 400, "8 bytes are left in the body"),
        ("a size that is a float", binary(8.0, SHIP), 400, "is a number of bytes"),
        ("a size that is true", binary(True, SHIP), 400, "is a number of bytes"),
        ("data twice", binary(8, SHIP, data=["ship"]), 400, "both data and binary_data_size"),
        ("bytes that nobody claims", binary(8, SHIP + b"more"), 400, "4 bytes of binary data that no input claims"),
        ("fewer strings than the shape says", binary(8, SHIP, shape=[2]), 400, "1 strings in the binary data"),
        ("a binary text that is no UTF-8", binary(5, struct.pack("<I", 1) + b"\xff"), 400, "string 0 is not valid"),
        ("a length past the data", binary(8, struct.pack("<I", 400) + b"ship"), 400, "ends inside a string"),
        ("too few bytes of ids", with_binary(three, b"\0" * 8), 400, "8 bytes, shape needs 24"),
    ]


CASES: list[Case] = [
    *(
        (what, sent, JSON, status, reason)
        for what, sent, status, reason in [*_inputs(), *_shapes_and_data(), *_options_and_names(), *_numbers()]
    ),
    *((what, sent, headers, status, reason) for what, (sent, headers), status, reason in _binary()),
    ("a form", one(), {"content-type": "application/x-www-form-urlencoded"}, 415, "content-type is application/json"),
    ("plain text", one(), {"content-type": "text/plain"}, 415, "content-type is application/json"),
    ("a length of 5,000 digits", one(), JSON | {"content-length": "9" * 5000}, 400, "content-length is not a number"),
    ("a length that is not there", one(), JSON | {"content-length": "9" * 18}, 413, "at most 20000 are taken"),
    ("a host that is none", one(name=3), JSON | {"host": "["}, 400, "each input is an object with a name"),
    ("a compressed body", one(), JSON | {"content-encoding": "gzip"}, 415, "compressed bodies"),
]
