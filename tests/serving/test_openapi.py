from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from components.serving.app import make_app
from components.serving.limits import Limits
from components.serving.middleware import OPEN_PATHS
from components.serving.openapi import document
from components.serving.service import Service
from tests.serving.asking import ids, in_binary, texts


def resolved(schema: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    return {"$ref": schema["$ref"], "components": made["components"]}


def accepts(made: dict[str, Any], name: str, content: Any) -> bool:
    return Draft202012Validator(resolved({"$ref": f"#/components/schemas/{name}"}, made)).is_valid(content)


def documented(service: Service, keys: tuple[bytes, ...] = ()) -> dict[str, Any]:
    app: Any = make_app(service, print, keys).app
    return document(app, service.repository)


def test_every_route_is_in_the_document_and_nothing_else(service: Service) -> None:
    app: Any = make_app(service, print).app
    routes = {(route.path, method.lower()) for route in app.routes for method in route.methods}
    written = documented(service)["paths"]
    assert routes == {(path, one) for path, item in written.items() for one in item}


def test_the_document_is_served_and_names_the_models_of_the_moment(client: TestClient) -> None:
    made = client.get("/openapi.json").json()
    assert made["openapi"] == "3.1.0"
    given = made["paths"]["/v2/models/{name}/infer"]["post"]["parameters"]
    assert given[0]["schema"]["enum"] == ["places"]
    assert "/openapi.json" in made["paths"]


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(documented(Service(Limits())))
    known = set(json.loads(text)["components"]["schemas"])
    assert known == {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}


def test_a_key_is_part_of_the_document_where_one_is_asked_for(service: Service) -> None:
    assert all("security" not in one for item in documented(service)["paths"].values() for one in item.values())
    for path, item in documented(service, (b"a-key-of-some-length",))["paths"].items():
        for operation in item.values():
            assert ("security" in operation) == (path not in OPEN_PATHS), path
            assert ("401" in operation["responses"]) == (path not in OPEN_PATHS), path


def test_the_document_takes_what_the_server_takes(client: TestClient) -> None:
    made = client.get("/openapi.json").json()
    for content in (texts("ship", "sail"), ids([[1, 5, 2]]), texts("a", id="7", outputs=[{"name": "label"}])):
        assert client.post("/v2/models/places/infer", json=content).status_code == 200
        assert accepts(made, "InferenceRequest", content)
    for content in ({}, {"inputs": []}, texts("a", id=3), texts("a", outputs=[{"name": "mood"}])):
        assert client.post("/v2/models/places/infer", json=content).status_code == 400
        assert not accepts(made, "InferenceRequest", content)


def test_the_document_knows_the_answers(client: TestClient) -> None:
    made = client.get("/openapi.json").json()
    assert accepts(made, "InferenceResponse", client.post("/v2/models/places/infer", json=texts("ship", id="7")).json())
    assert accepts(made, "Error", client.get("/v2/models/moods").json())
    assert accepts(made, "OpenAIError", client.get("/v1/models/moods").json())
    assert accepts(made, "ModelMetadata", client.get("/v2/models/places").json())
    body, headers = in_binary("ship", parameters={"binary_data_output": True})
    answer = client.post("/v2/models/places/infer", content=body, headers=headers)
    length = answer.headers["inference-header-content-length"]
    assert accepts(made, "InferenceResponse", json.loads(answer.content[: int(length)]))
