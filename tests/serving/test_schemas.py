from __future__ import annotations

from jsonschema import Draft202012Validator

from components.serving.schemas import OPENAI, PROTOCOL, record


def test_every_schema_is_a_json_schema() -> None:
    for schema in [*PROTOCOL.values(), *OPENAI.values()]:
        Draft202012Validator.check_schema(schema)


def test_a_record_has_all_its_properties_and_no_other() -> None:
    check = Draft202012Validator(record(a={"type": "string"})).is_valid
    assert check({"a": "x"})
    assert not check({})
    assert not check({"a": "x", "b": "y"})


def test_a_tensor_has_either_its_data_or_the_length_of_it() -> None:
    tensor = PROTOCOL["InferAnswer"]["properties"]["outputs"]["items"]
    head = {"name": "label", "datatype": "BYTES", "shape": [1]}
    check = Draft202012Validator(tensor).is_valid
    assert check(head | {"data": ["sea"]})
    assert check(head | {"parameters": {"binary_data_size": 7}})
    assert not check(head)
