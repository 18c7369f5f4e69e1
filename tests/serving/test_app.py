"""The protocol over HTTP, in this process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from components.errors import EngineError
from components.inference.sessions import Arrays
from components.serving.app import make_app
from components.serving.limits import Limits
from components.serving.service import Service
from components.serving.task_model import TaskModel
from tests.serving.asking import ids, in_binary, read_binary, texts
from tests.serving.conftest import LIMITS
from tests.serving.malformed import CASES, Case
from tests.small_ladder import LABELS, Ladder

INFER = "/v2/models/places/infer"
TEXTS = ["ship wave whale tide", "wheat plough barn harvest soil meadow horse", "門 市 tower street"]


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {entry["name"]: np.array(entry["data"]).reshape(entry["shape"]) for entry in answer.json()["outputs"]}


def test_texts_are_answered_as_predict_answers_them(client: TestClient, model: TaskModel) -> None:
    found = outputs(client.post(INFER, json=texts(*TEXTS)))
    assert found["label"].tolist() == [one.label for one in model.classifier.predict(TEXTS)] == ["sea", "field", "city"]
    assert found["scores"].shape == (3, len(LABELS))
    assert found["scores"].sum(axis=1) == pytest.approx([1, 1, 1])
    assert np.abs(found["logits"] - model.classifier.logits(TEXTS)).max() < 0.3


def test_ids_give_what_their_text_gives(client: TestClient, model: TaskModel) -> None:
    rows = model.classifier.encoder.encode(TEXTS[:1])
    by_ids = outputs(client.post(INFER, json=ids(rows, outputs=[{"name": "logits"}])))
    by_text = outputs(client.post(INFER, json=texts(TEXTS[0])))
    assert list(by_ids) == ["logits"]
    assert np.array_equal(by_ids["logits"], by_text["logits"])


def test_padding_that_the_client_gave_changes_nothing(client: TestClient, model: TaskModel) -> None:
    content = ids([model.classifier.encoder.encode(TEXTS[:1])[0] + [0] * 3])
    content["inputs"][1]["data"][0][-3:] = [0] * 3
    padded = outputs(client.post(INFER, json=content))
    assert np.array_equal(padded["logits"], outputs(client.post(INFER, json=texts(TEXTS[0])))["logits"])


def test_binary_tensors_go_both_ways(client: TestClient) -> None:
    body, headers = in_binary(*TEXTS, parameters={"binary_data_output": True})
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    found = read_binary(answer.content, answer.headers["inference-header-content-length"])
    plain = outputs(client.post(INFER, json=texts(*TEXTS)))
    assert found["label"] == plain["label"].tolist()
    assert np.allclose(found["scores"], plain["scores"], atol=1e-6)


def test_one_output_may_be_binary_and_another_not(client: TestClient) -> None:
    wanted = [{"name": "label"}, {"name": "scores", "parameters": {"binary_data": True}}]
    answer = client.post(INFER, json=texts(TEXTS[0], outputs=wanted))
    length = int(answer.headers["inference-header-content-length"])
    label, scores = json.loads(answer.content[:length])["outputs"]
    assert label["data"] == ["sea"]
    assert scores["parameters"]["binary_data_size"] == len(answer.content) - length == 4 * len(LABELS)


def test_nested_data_and_a_second_dimension_of_one_are_taken(client: TestClient) -> None:
    content = texts(*TEXTS)
    content["inputs"][0] |= {"shape": [3, 1], "data": [[text] for text in TEXTS]}
    assert outputs(client.post(INFER, json=content))["label"].tolist() == ["sea", "field", "city"]


def test_the_requests_id_comes_back(client: TestClient) -> None:
    assert client.post(INFER, json=texts("ship", id="42")).json()["id"] == "42"
    assert "id" not in client.post(INFER, json=texts("ship")).json()


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_malformed_request_is_refused_with_a_reason_in_one_line(case: Case, client: TestClient) -> None:
    _, body, headers, status, reason = case
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/models/moods/infer", 404),
        ("POST", "/v2/models/places/versions/8/infer", 404),
        ("GET", "/v2/models/moods", 404),
        ("GET", "/v2/models/moods/ready", 404),
        ("GET", "/v2/models/places/versions/8", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/docs", 404),
        ("GET", "/v2/", 404),
        ("GET", INFER, 405),
        ("DELETE", "/v2", 405),
    ],
)
def test_what_is_not_served_says_so(method: str, path: str, status: int, client: TestClient) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_server_and_its_model_describe_themselves(client: TestClient) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/places/versions/7/ready").json() == {"name": "places", "ready": True}
    described = client.get("/v2/models/places").json()
    assert described["versions"] == ["7"]
    assert described["labels"] == LABELS
    assert [one["name"] for one in described["inputs"]] == ["text", "input_ids", "attention_mask"]
    assert client.post("/v2/models/places/versions/7/infer", json=texts("ship")).status_code == 200


def test_a_server_that_drains_refuses_new_work_and_is_not_ready(client: TestClient, service: Service) -> None:
    service.admission.draining = True
    refused = client.post(INFER, json=texts("ship"))
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert refused.headers["connection"] == "close"
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200


def test_a_server_without_models_is_not_ready() -> None:
    with TestClient(make_app(Service(Limits()), print)) as client:
        assert client.get("/v2/health/ready").status_code == 503
        assert client.post(INFER, json=texts("ship")).status_code == 503


class Slow:
    """A model's session that waits for permission."""

    def __init__(self, model: TaskModel) -> None:
        self.go = threading.Event()
        self.session = model.classifier.session

    def run(self, feeds: Arrays) -> Arrays:
        self.go.wait(20)
        return self.session.run(feeds)


def slowed(service: Service) -> Slow:
    served = service.repository.models["places"]
    slow = Slow(served.model)
    model = replace(served.model, classifier=replace(served.model.classifier, session=slow))
    served.batcher._infer = model.infer
    return slow


def test_a_request_that_waits_too_long_gets_503_and_its_rows_are_dropped(
    make_service: Callable[[Path, Limits], Service], ladder: Ladder
) -> None:
    service = make_service(ladder.bundle, replace(LIMITS, timeout=0.3))
    slow = slowed(service)
    with TestClient(make_app(service, print)) as client:
        for _ in range(2):
            answer = client.post(INFER, json=texts("ship"))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "no answer within 0.3 s" in answer.json()["error"]
        slow.go.set()
        assert client.post(INFER, json=texts("ship")).status_code == 200
        assert service.repository.models["places"].batcher.waiting == 0


def test_what_is_given_up_past_the_drain_is_told_in_the_protocols_form(service: Service, caplog: Any) -> None:
    slow = slowed(service)
    answers: list[Any] = []
    with TestClient(make_app(service, print)) as client:
        thread = threading.Thread(target=lambda: answers.append(client.post(INFER, json=texts("ship"))))
        thread.start()
        deadline = time.monotonic() + 10
        while not service.admission.under_way and time.monotonic() < deadline:
            time.sleep(0.01)
        service.admission.draining = True
        assert client.portal is not None
        client.portal.call(service.admission.give_up)
        thread.join(10)
        slow.go.set()
    assert (answers[0].status_code, answers[0].headers["retry-after"]) == (503, "1")
    told = f"the server has stopped before this was answered; request {answers[0].headers['x-request-id']}"
    assert answers[0].json() == {"error": told}
    assert caplog.records == []


def test_a_full_queue_gives_429_and_what_was_accepted_is_answered(
    make_service: Callable[[Path, Limits], Service], ladder: Ladder
) -> None:
    service = make_service(ladder.bundle, replace(LIMITS, max_queue=2))
    slow = slowed(service)
    codes: list[int] = []
    with TestClient(make_app(service, print)) as client:
        asking = [
            threading.Thread(target=lambda: codes.append(client.post(INFER, json=texts("ship")).status_code))
            for _ in range(12)
        ]
        for thread in asking:
            thread.start()
        deadline = time.monotonic() + 20
        # At most two rows are in the engine and two wait.
        while codes.count(429) < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        slow.go.set()
        for thread in asking:
            thread.join(20)
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 2


def test_an_engine_that_fails_gives_500_in_the_protocols_form(service: Service) -> None:
    def broken(rows: Any) -> np.ndarray:
        raise EngineError("out of order")

    service.repository.models["places"].batcher._infer = broken
    with TestClient(make_app(service, print), raise_server_exceptions=False) as client:
        answer = client.post(INFER, json=texts("ship"))
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error"]
