"""What goes in and out, as JSON Schema, for /openapi.json; requests under /v1 describe themselves."""

from __future__ import annotations

from typing import Any

from components.runtime.answers import FORMS
from components.serving.task_model import INPUTS
from components.serving.tensors import DATATYPES

NAMES = sorted({name for form in FORMS for name in form.tensors})
"""Of the outputs of models of any form."""

Schema = dict[str, Any]


def record(**properties: Schema) -> Schema:
    """An object that has all of these and nothing else."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(items: Schema, **more: Any) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items, **more}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(*values: str | None) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


STRING: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
SHAPE = listed({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, minItems=1, maxItems=8)
REASON = one_of("stop", "length")


def _input(name: str, element: Schema, *outer: Schema) -> Schema:
    """An input tensor; `outer` are ways of nesting its data."""
    properties = {
        "name": one_of(name),
        "datatype": one_of(INPUTS[name][0]),
        "shape": SHAPE | {"minItems": len(INPUTS[name][1]), "maxItems": 2},
        "data": listed({"anyOf": [element, *outer]}, minItems=1),
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": COUNT},
            "additionalProperties": False,
        },
    }
    return {"type": "object", "properties": properties, "required": ["name", "datatype", "shape"]}


def _tensor(data: Schema) -> Schema:
    """An output tensor: with its data, or with the length of its bytes after the JSON."""
    properties = {"name": one_of(*NAMES), "datatype": one_of(*DATATYPES), "shape": listed(COUNT), "data": data}
    properties["parameters"] = record(binary_data_size=COUNT)
    head = {"type": "object", "properties": properties, "additionalProperties": False}
    return head | {"oneOf": [{"required": [*HEAD, "data"]}, {"required": [*HEAD, "parameters"]}]}


HEAD = ("name", "datatype", "shape")
ID: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
WANTED: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": one_of(*NAMES),
        "parameters": {"type": "object", "properties": {"binary_data": FLAG}, "additionalProperties": False},
    },
}
PROTOCOL: dict[str, Schema] = {
    "Error": record(error=STRING),
    "Server": record(name=STRING, version=STRING, extensions=listed(STRING)),
    "Live": record(live=FLAG),
    "Ready": record(ready=FLAG),
    "ModelReady": record(name=STRING, ready=FLAG),
    "TensorKind": record(name=STRING, datatype=one_of(*DATATYPES), shape=listed({"type": "integer", "minimum": -1})),
    "Model": record(
        name=STRING,
        versions=listed(STRING),
        platform=STRING,
        inputs=listed(ref("TensorKind")),
        outputs=listed(ref("TensorKind")),
        labels=listed(STRING),
    ),
    "TextInput": _input("text", STRING, listed(STRING, minItems=1, maxItems=1)),
    "IdsInput": _input("input_ids", ID, listed(ID, minItems=1)),
    "MaskInput": _input("attention_mask", {"enum": [0, 1]}, listed({"enum": [0, 1]}, minItems=1)),
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "inputs": {
                "oneOf": [
                    {"type": "array", "prefixItems": [ref("TextInput")], "items": False, "minItems": 1},
                    {
                        "type": "array",
                        "prefixItems": [ref("IdsInput"), ref("MaskInput")],
                        "items": False,
                        "minItems": 2,
                    },
                ]
            },
            "outputs": listed(WANTED),
            "parameters": {"type": "object", "properties": {"binary_data_output": FLAG}},
        },
    },
    "InferAnswer": {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "additionalProperties": False,
        "properties": {
            "model_name": STRING,
            "model_version": STRING,
            "id": STRING,
            "outputs": listed(_tensor(listed({"type": ["string", "number"]}))),
        },
    },
}
INFER_EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {
        # Which outputs there are depends on the model; without a list of them it gives all.
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["the moon", "明月"]}],
    },
    "ids": {
        "inputs": [
            {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "data": [[1, 5, 2]]},
            {"name": "attention_mask", "datatype": "INT64", "shape": [1, 3], "data": [[1, 1, 1]]},
        ],
    },
}
USAGE = record(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)
OPTIONAL = {"type": ["string", "null"]}


def _completion(kind: str, usage: Schema, **choice: Schema) -> Schema:
    return record(
        id=STRING,
        object=one_of(kind),
        created=COUNT,
        model=STRING,
        system_fingerprint=STRING,
        choices=listed(record(index=COUNT, **choice, logprobs=NULL)),
        usage=usage,
    )


def _chunk(kind: str, **choice: Schema) -> Schema:
    """What an event of a stream holds; the one with usage comes last and has no choices."""
    made = _completion(kind, USAGE, **choice)
    return made | {"required": [name for name in made["required"] if name != "usage"]}


def events(name: str) -> Schema:
    """An event of a stream of chunks."""
    chunk = {"type": "string", "contentMediaType": "application/json", "contentSchema": ref(name)}
    data = {"anyOf": [chunk, one_of("[DONE]")], "description": "a chunk, an error in its stead, or the end"}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


UNFINISHED = one_of("stop", "length", None)
DELTA = {
    "type": "object",
    "properties": {"role": one_of("assistant"), "content": STRING},
    "additionalProperties": False,
}
OPENAI: dict[str, Schema] = {
    "CompletionChunk": _chunk("text_completion", text=STRING, finish_reason=UNFINISHED),
    "ChatCompletionChunk": _chunk("chat.completion.chunk", delta=DELTA, finish_reason=UNFINISHED),
    "OpenAIError": record(error=record(message=STRING, type=STRING, param=OPTIONAL, code=OPTIONAL)),
    "Completion": _completion("text_completion", USAGE, text=STRING, finish_reason=REASON),
    "ChatCompletion": _completion(
        "chat.completion",
        USAGE,
        message=record(role=one_of("assistant"), content=STRING, refusal=NULL),
        finish_reason=REASON,
    ),
    "Embeddings": record(
        object=one_of("list"),
        data=listed(
            record(
                object=one_of("embedding"),
                index=COUNT,
                embedding={"anyOf": [STRING, listed({"type": "number"})]},
            )
        ),
        model=STRING,
        usage=record(prompt_tokens=COUNT, total_tokens=COUNT),
    ),
    "OpenAIModel": record(id=STRING, object=one_of("model"), created=COUNT, owned_by=STRING),
    "OpenAIModels": record(object=one_of("list"), data=listed(ref("OpenAIModel"))),
}
