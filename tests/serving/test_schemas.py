from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from components.serving import schemas

INPUT = {"name": "text", "datatype": "BYTES", "shape": [1]}


def accepts(kind: Any, content: Any) -> bool:
    return Draft202012Validator(TypeAdapter(kind).json_schema()).is_valid(content)


@pytest.mark.parametrize("example", [schemas.TEXT_EXAMPLE, schemas.IDS_EXAMPLE])
def test_the_examples_are_requests(example: dict[str, Any]) -> None:
    assert accepts(schemas.InferenceRequest, example)


def test_a_request_has_texts_or_ids_with_their_mask() -> None:
    both = schemas.TEXT_EXAMPLE["inputs"] + schemas.IDS_EXAMPLE["inputs"]
    for inputs in ([], both, both[1:2], both[:0:-1]):
        assert not accepts(schemas.InferenceRequest, {"inputs": inputs})


def test_a_tensor_has_values_or_the_number_of_their_bytes() -> None:
    assert accepts(schemas.TextInput, INPUT | {"data": ["sea"]})
    assert accepts(schemas.TextInput, INPUT | {"parameters": {"binary_data_size": 7}})
    assert not accepts(schemas.TextInput, INPUT | {"data": []})
    assert not accepts(schemas.TextInput, INPUT | {"parameters": {"binary_data": 7}})
