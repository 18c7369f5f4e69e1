"""The bodies of the Open Inference Protocol as types, which mypy checks and /openapi.json shows.

No request or answer is validated with them at run time: requests are read once, by components/serving/protocol.py.
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from components.runtime.answers import FORMS
from components.serving.tensors import DATATYPES

NAMES = sorted({name for form in FORMS for name in form.tensors})
"""Of the outputs of models of any form."""
ENOUGH = Field(min_length=1)
Count = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Matrix = Annotated[list[Size], Field(min_length=2, max_length=2)]
Datatype = Annotated[str, Field(json_schema_extra={"enum": [*DATATYPES]})]
OutputName = Annotated[str, Field(json_schema_extra={"enum": [*NAMES]})]
Id = Annotated[int, Field(ge=0, lt=2**63)]
Bit = Literal[0, 1]
BinarySize = dict[Literal["binary_data_size"], Count]
OutputParameters = dict[Literal["binary_data"], bool]


class Error(TypedDict):
    error: str


class ServerMetadata(TypedDict):
    name: str
    version: str
    extensions: list[str]


class Live(TypedDict):
    live: bool


class Ready(TypedDict):
    ready: bool


class ModelReady(TypedDict):
    name: str
    ready: bool


class TensorMetadata(TypedDict):
    """A size of -1 depends on the request."""

    name: str
    datatype: Datatype
    shape: list[Annotated[int, Field(ge=-1)]]


class ModelMetadata(TypedDict):
    """`labels`: in the order of `scores` and `logits`."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    labels: list[str]


class TextInput(TypedDict):
    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: Annotated[list[Size], Field(min_length=1, max_length=2)]
    data: NotRequired[Annotated[list[str | Annotated[list[str], Field(min_length=1, max_length=1)]], ENOUGH]]
    parameters: NotRequired[BinarySize]


class IdsInput(TypedDict):
    name: Literal["input_ids"]
    datatype: Literal["INT64"]
    shape: Matrix
    data: NotRequired[Annotated[list[Id | Annotated[list[Id], ENOUGH]], ENOUGH]]
    parameters: NotRequired[BinarySize]


class MaskInput(TypedDict):
    name: Literal["attention_mask"]
    datatype: Literal["INT64"]
    shape: Matrix
    data: NotRequired[Annotated[list[Bit | Annotated[list[Bit], ENOUGH]], ENOUGH]]
    parameters: NotRequired[BinarySize]


class RequestedOutput(TypedDict):
    name: OutputName
    parameters: NotRequired[OutputParameters]


class RequestParameters(TypedDict, total=False):
    binary_data_output: bool


class InferenceRequest(TypedDict):
    """Texts, or token ids with their mask. Without `outputs` the answer has all outputs of the model."""

    inputs: tuple[TextInput] | tuple[IdsInput, MaskInput]
    id: NotRequired[str | None]
    outputs: NotRequired[list[RequestedOutput]]
    parameters: NotRequired[RequestParameters]


class OutputTensor(TypedDict):
    """Its values are in `data`, or behind the JSON, where `parameters` has the number of their bytes."""

    name: OutputName
    datatype: Datatype
    shape: list[Count]
    data: NotRequired[list[str | float]]
    parameters: NotRequired[BinarySize]


class InferenceResponse(TypedDict):
    model_name: str
    model_version: str
    id: NotRequired[str]
    outputs: list[OutputTensor]


# Neither asks for an output by name: which there are depends on the model.
TEXT_EXAMPLE: dict[str, Any] = {
    "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["the moon", "明月"]}]
}
IDS_EXAMPLE: dict[str, Any] = {
    "inputs": [
        {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "data": [[1, 5, 2]]},
        {"name": "attention_mask", "datatype": "INT64", "shape": [1, 3], "data": [[1, 1, 1]]},
    ]
}
