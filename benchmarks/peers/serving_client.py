"""Triton's own Python client against a server: python serving_client.py ADDRESS MODEL OUTPUT,OUTPUT… TEXT…

Asks for everything the client library has for this protocol, in JSON and in binary, and ends with what it found.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def main(address: str, model: str, outputs: list[str], texts: list[str]) -> None:
    with triton.InferenceServerClient(address) as client:
        found = {
            "live": client.is_server_live(),
            "ready": client.is_server_ready() and client.is_model_ready(model),
            "extensions": client.get_server_metadata()["extensions"],
            "metadata": client.get_model_metadata(model)["name"],
            "binary": ask(client, model, outputs, texts, binary=True),
            "json": ask(client, model, outputs, texts, binary=False),
            "everything": sorted(everything(client, model, texts)),
            "ids": by_ids(client, model),
            "refused": refused(client, model),
        }
    print(json.dumps(found))


def ask(
    client: triton.InferenceServerClient, model: str, outputs: list[str], texts: list[str], binary: bool
) -> dict[str, list[object]]:
    given = triton.InferInput("text", [len(texts)], "BYTES")
    given.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_), binary_data=binary)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    answer = client.infer(model, [given], outputs=wanted, request_id="7")
    assert answer.get_response()["id"] == "7"
    return {name: plain(answer.as_numpy(name)) for name in outputs}


def plain(values: np.ndarray) -> list[object]:
    """As JSON has it: strings, or numbers to four digits."""
    if values.dtype != np.object_:
        return values.round(4).tolist()
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def everything(client: triton.InferenceServerClient, model: str, texts: list[str]) -> list[str]:
    given = triton.InferInput("text", [len(texts), 1], "BYTES")
    given.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_))
    answer = client.infer(model, [given])
    names = [output["name"] for output in answer.get_response()["outputs"]]
    assert all(len(answer.as_numpy(name)) == len(texts) for name in names)
    return names


def by_ids(client: triton.InferenceServerClient, model: str) -> list[int]:
    ids = triton.InferInput("input_ids", [2, 4], "INT64")
    ids.set_data_from_numpy(np.array([[1, 5, 6, 2], [1, 7, 2, 0]]))
    mask = triton.InferInput("attention_mask", [2, 4], "INT64")
    mask.set_data_from_numpy(np.array([[1, 1, 1, 1], [1, 1, 1, 0]]))
    return list(client.infer(model, [ids, mask]).as_numpy("logits").shape)


def refused(client: triton.InferenceServerClient, model: str) -> str:
    given = triton.InferInput("words", [1], "BYTES")
    given.set_data_from_numpy(np.array([b"a"], dtype=np.object_))
    try:
        client.infer(model, [given])
    except InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    return "not refused"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:])
