"""OpenAI's routes over HTTP, in this process, with models whose every word is known."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from components.serving.app import make_app
from components.serving.continuous_batching import ContinuousBatcher
from components.serving.limits import Limits
from components.serving.middleware import RequestContext
from components.serving.openai_routes import EventStream
from components.serving.service import Service
from tests.serving.scripted import ScriptedGenerator, ScriptedRow, serve_scripted

LIMITS = Limits(max_queue=4, max_rows=4, max_body=20_000, max_text=500, timeout=10)
COMPLETIONS, CHAT, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def generator() -> ScriptedGenerator:
    made = ScriptedGenerator()
    made.go.set()
    return made


@pytest.fixture
def limits() -> Limits:
    return LIMITS


@pytest.fixture
def service(generator: ScriptedGenerator, limits: Limits) -> Iterator[Service]:
    made = Service(limits)
    served = serve_scripted(made, generator)
    yield made
    generator.go.set()
    for one in served:
        one.batcher.close()
        one.batcher.join(5)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def client(service: Service, said: list[str]) -> Iterator[TestClient]:
    with TestClient(make_app(service, said.append), raise_server_exceptions=False) as opened:
        yield opened


def complete(client: TestClient, **asked: Any) -> Any:
    return client.post(COMPLETIONS, json={"model": "echo", "prompt": "ab"} | asked)


def events(answer: Any) -> list[Any]:
    """What each event of a stream holds; the last one says that it is over."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_completion_has_its_text_reason_and_counts(client: TestClient) -> None:
    answer = complete(client, max_tokens=5)
    content = answer.json()
    assert content["object"] == "text_completion"
    assert content["choices"] == [{"index": 0, "text": "ababa", "logprobs": None, "finish_reason": "length"}]
    assert content["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}
    assert content["id"] == f"cmpl-{answer.headers['x-request-id']}"
    assert answer.headers["x-lianzi-trace"].endswith(f";model=echo;version=1;bundle={'e' * 64}")


def test_sixteen_tokens_are_made_when_nothing_is_said_and_never_more_than_fit(client: TestClient) -> None:
    assert complete(client).json()["usage"]["completion_tokens"] == 16
    assert complete(client, max_tokens=2**31 - 1).json()["usage"]["completion_tokens"] == 38


def test_each_prompt_gets_a_choice(client: TestClient) -> None:
    found = complete(client, prompt=["ab", "c", "de"], max_tokens=2).json()
    assert [one["text"] for one in found["choices"]] == ["ab", "cc", "de"]
    assert found["usage"]["prompt_tokens"] == 5
    by_ids = complete(client, prompt=[[97, 98], [99]], max_tokens=2).json()
    assert [one["text"] for one in by_ids["choices"]] == ["ab", "cc"]
    assert complete(client, prompt=[97, 98], max_tokens=2).json()["choices"][0]["text"] == "ab"


def test_a_stop_string_ends_a_text(client: TestClient) -> None:
    assert complete(client, stop="ba").json()["choices"][0]["finish_reason"] == "stop"
    assert complete(client, stop=["x", "b"]).json()["choices"][0]["finish_reason"] == "stop"


def test_an_answer_in_plain_lines_ends_where_the_next_speakers_line_begins(client: TestClient) -> None:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "ab\nuser: c"}], "max_tokens": 20}
    choice = client.post(CHAT, json=asked).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("ab\nuser:", "stop")  # the echo keeps its stop
    assert complete(client, prompt="ab\nuser: c").json()["choices"][0]["finish_reason"] == "length"


def test_a_stream_holds_what_the_whole_answer_holds(client: TestClient) -> None:
    found = events(complete(client, prompt=["ab", "c"], max_tokens=3, stream=True))
    texts = ["", ""]
    for event in found:
        texts[event["choices"][0]["index"]] += event["choices"][0]["text"]
    assert texts == ["aba", "ccc"]
    assert [one["choices"][0]["finish_reason"] for one in found].count("length") == 2
    assert all("usage" not in one for one in found)


def test_a_streamed_chat_begins_with_the_role_and_ends_with_the_usage(client: TestClient) -> None:
    asked = {"model": "echo", "messages": HELLO, "max_completion_tokens": 5, "max_tokens": 9}
    whole = client.post(CHAT, json=asked).json()
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "hello", "refusal": None}
    found = events(client.post(CHAT, json=asked | {"stream": True, "stream_options": {"include_usage": True}}))
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(one["choices"][0]["delta"]["content"] for one in found[1:-1]) == "hello"
    assert found[-2]["choices"][0]["finish_reason"] == "length"
    assert (found[-1]["choices"], found[-1]["usage"]) == ([], whole["usage"])
    assert {one["object"] for one in found} == {"chat.completion.chunk"}


def test_parts_of_a_message_are_joined_and_a_template_may_refuse(client: TestClient) -> None:
    parts = [{"type": "text", "text": "he"}, {"type": "text", "text": "y"}]
    asked = {"model": "echo", "messages": [{"role": "developer", "content": parts}], "max_tokens": 3}
    assert client.post(CHAT, json=asked).json()["choices"][0]["message"]["content"] == "hey"
    refused = client.post(CHAT, json={"model": "echo", "messages": [{"role": "assistant", "content": "I"}]})
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].endswith("the user speaks first")


@pytest.mark.parametrize("given", ["abc", ["abc"], [97, 98, 99], [[97, 98, 99]]])
def test_embeddings_are_the_same_however_they_are_asked_for(given: Any, client: TestClient) -> None:
    plain = client.post(EMBEDDINGS, json={"model": "sizes", "input": given}).json()
    packed = client.post(EMBEDDINGS, json={"model": "sizes", "input": given, "encoding_format": "base64"}).json()
    assert plain["data"] == [{"object": "embedding", "index": 0, "embedding": [97.0, 3.0]}]
    assert np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4").tolist() == [97.0, 3.0]
    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_models_are_those_that_answer_here(client: TestClient) -> None:
    found = client.get("/v1/models").json()
    assert [one["id"] for one in found["data"]] == ["echo", "sizes"]
    assert client.get("/v1/models/echo").json() == found["data"][0]
    missing = client.get("/v1/models/nobody")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("path", "asked", "status", "param", "reason"),
    [
        (COMPLETIONS, {"model": "nobody", "prompt": "a"}, 404, "model", "no model of that name"),
        (COMPLETIONS, {"model": "sizes", "prompt": "a"}, 400, "model", "but at /v1/embeddings"),
        (EMBEDDINGS, {"model": "echo", "input": "a"}, 400, "model", "but at /v1/completions and /v1/chat"),
        (COMPLETIONS, {"model": "echo", "prompt": "a" * 40}, 400, "prompt", "40 tokens, the model takes 40 with"),
        (COMPLETIONS, {"model": "echo", "prompt": "a" * 501}, 400, "prompt", "501 long, at most 500"),
        (COMPLETIONS, {"model": "echo", "prompt": ["a"] * 5}, 400, "prompt", "5 rows, at most 4"),
        (COMPLETIONS, {"model": "echo", "prompt": [300]}, 400, "prompt", "has the id 300, the last one is 255"),
        (COMPLETIONS, {"model": "echo", "prompt": "a", "stream_options": {}}, 400, "stream_options", "goes with"),
        (EMBEDDINGS, {"model": "sizes", "input": [97] * 9}, 400, "input", "9 tokens, the model takes 8"),
        (EMBEDDINGS, {"model": "sizes", "input": [300]}, 400, "input", "the last one is 255"),
        (EMBEDDINGS, {"model": "sizes", "input": "a", "dimensions": 3}, 400, "dimensions", "is 2 with this model"),
    ],
)
def test_what_cannot_be_answered_is_told_in_openais_form(
    path: str, asked: Any, status: int, param: str, reason: str, client: TestClient
) -> None:
    answer = client.post(path, json=asked)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert reason in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", COMPLETIONS, {}, 405),
        ("POST", "/v1/images", {}, 404),
        ("POST", CHAT, {"content-type": "text/plain"}, 415),
        ("POST", CHAT, {"content-length": "99999999"}, 413),
    ],
)
def test_other_refusals_have_openais_form_too(
    method: str, path: str, headers: dict[str, str], status: int, client: TestClient
) -> None:
    answer = client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_key_is_asked_for_in_openais_form(service: Service) -> None:
    with TestClient(make_app(service, print, (b"a-key-of-some-length",))) as client:
        refused = client.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert client.get("/v1/models", headers={"authorization": "Bearer a-key-of-some-length"}).status_code == 200


@pytest.mark.parametrize("limits", [replace(LIMITS, timeout=0.3)])
def test_what_does_not_begin_in_time_gets_503_and_leaves(
    client: TestClient, generator: ScriptedGenerator, service: Service
) -> None:
    generator.go.clear()
    for stream in (False, True):
        answer = complete(client, stream=stream)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["type"] == "server_error"
    generator.go.set()
    assert complete(client, max_tokens=2).status_code == 200
    assert service.repository.models["echo"].users == 0


def test_an_engine_that_fails_gives_500(client: TestClient, said: list[str]) -> None:
    answer = complete(client, prompt="\r")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]


def test_a_full_queue_gives_429_and_what_was_accepted_is_answered(
    client: TestClient, generator: ScriptedGenerator
) -> None:
    generator.go.clear()
    codes: list[int] = []
    asking = [threading.Thread(target=lambda: codes.append(complete(client).status_code)) for _ in range(9)]
    for thread in asking:
        thread.start()
    deadline = time.monotonic() + 10
    while codes.count(429) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    generator.go.set()
    for thread in asking:
        thread.join(20)
    assert set(codes) == {200, 429}


def begun(client: TestClient, service: Service, answers: list[Any]) -> threading.Thread:
    """A thread whose request is under way."""
    thread = threading.Thread(target=lambda: answers.append(complete(client, max_tokens=3)))
    thread.start()
    deadline = time.monotonic() + 10
    while not service.repository.models["echo"].batcher.active and time.monotonic() < deadline:  # type: ignore[union-attr]
        time.sleep(0.01)
    return thread


def test_an_exchanged_generator_finishes_what_it_began(
    client: TestClient, service: Service, generator: ScriptedGenerator
) -> None:
    generator.go.clear()
    answers: list[Any] = []
    thread = begun(client, service, answers)
    before = service.repository.models["echo"]
    after = ScriptedGenerator()
    after.go.set()
    continuous_batcher = ContinuousBatcher(after, 4, lambda rows: None, lambda tokens: None)
    model = replace(before.model, generator=after)  # type: ignore[type-var]

    def exchange() -> None:
        service.repository.put(replace(before, version="2", model=model, batcher=continuous_batcher))

    assert client.portal is not None
    client.portal.call(exchange)
    assert ";version=2;" in complete(client).headers["x-lianzi-trace"]
    generator.go.set()
    thread.join(10)
    assert answers[0].json()["choices"][0]["text"] == "aba"
    assert ";version=1;" in answers[0].headers["x-lianzi-trace"]
    before.batcher.join(5)
    assert not before.batcher._thread.is_alive()  # type: ignore[union-attr]
    continuous_batcher.close()


def test_a_server_that_drains_finishes_texts_and_begins_none(
    client: TestClient, service: Service, generator: ScriptedGenerator
) -> None:
    generator.go.clear()
    answers: list[Any] = []
    thread = begun(client, service, answers)
    service.admission.draining = True
    refused = complete(client)
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "server_error")
    generator.go.set()
    thread.join(10)
    assert (answers[0].status_code, answers[0].json()["usage"]["completion_tokens"]) == (200, 3)


class Halting(ScriptedGenerator):
    """Makes two tokens and no third."""

    def step(self, rows: Sequence[ScriptedRow]) -> list[int]:
        if len(self.steps) == 2:
            self.go.clear()
        return super().step(rows)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("generator", [Halting()])
def test_what_is_given_up_past_the_drain_is_told_in_openais_form(
    stream: bool, generator: Halting, client: TestClient, service: Service, said: list[str], caplog: Any
) -> None:
    generator.go.set()
    generator.steps.clear()
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(complete(client, max_tokens=9, stream=stream)))
    thread.start()
    deadline = time.monotonic() + 10
    while generator.go.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.portal is not None
    service.admission.draining = True
    client.portal.call(service.admission.give_up)
    thread.join(10)
    assert service.admission.under_way == service.repository.models["echo"].users == 0
    (answer,) = answers
    if stream:
        *parts, error = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
        # The second token is made; whether it was sent before the server gave up is a matter of moments.
        assert [one["choices"][0]["text"] for one in parts] in (["a"], ["a", "b"])
    else:
        error = answer.json()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["connection"] == "close"
    assert list(error["error"]) == ["message", "type", "param", "code"]
    assert error["error"]["type"] == "server_error"
    assert error["error"]["message"].endswith(f"before this was answered; request {answer.headers['x-request-id']}")
    assert len(said) == 1
    assert caplog.records == []


def test_a_client_that_reads_no_more_of_a_stream_is_let_go(service: Service) -> None:
    async def read() -> None:
        async def events() -> AsyncIterator[bytes]:
            while True:
                yield b"data: {}\n\n"

        async def receive() -> Any:
            await asyncio.sleep(20)

        async def send(message: Any) -> None:
            if message.get("body"):
                await asyncio.sleep(20)

        held = ExitStack()
        held.callback(let_go.append, True)
        await EventStream(events(), held, 0.1, RequestContext("7", "POST"))({}, receive, send)

    let_go: list[bool] = []
    asyncio.run(asyncio.wait_for(read(), 10))
    assert let_go == [True]


class Pondering(ScriptedGenerator):
    """Encodes for ever."""

    def encode(self, text: str) -> list[int]:
        time.sleep(3)
        return super().encode(text)


@pytest.mark.parametrize("limits", [replace(LIMITS, timeout=0.3)])
@pytest.mark.parametrize("generator", [Pondering()])
def test_encoding_stands_under_the_time_limit_too(client: TestClient, service: Service) -> None:
    begun = time.perf_counter()
    for path, asked in ((COMPLETIONS, {"prompt": "a"}), (CHAT, {"messages": HELLO})):
        answer = client.post(path, json={"model": "echo"} | asked)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "no answer within 0.3 s" in answer.json()["error"]["message"]
    assert time.perf_counter() - begun < 3
    assert service.workers.busy == 2


def test_generation_is_measured_and_logged_without_its_texts(client: TestClient, said: list[str]) -> None:
    complete(client, prompt="secret", max_tokens=6)
    events(complete(client, prompt="secret", max_tokens=6, stream=True))
    client.post(EMBEDDINGS, json={"model": "sizes", "input": "secret"})
    families = text_string_to_metric_families(client.get("/metrics").text)
    every = [one for family in families for one in family.samples]
    found = {(one.name, one.labels.get("model")): one.value for one in every}
    timed = {one.name for one in every if one.labels.get("version") == "1"}
    assert found["lianzi_prompt_tokens_total", "echo"] == 12
    assert found["lianzi_prompt_tokens_total", "sizes"] == 6
    assert found["lianzi_generated_tokens_total", "echo"] == 12
    assert found["lianzi_first_token_seconds_count", "echo"] == 2
    assert found["lianzi_generation_seconds_count", "echo"] == 2
    assert {"lianzi_first_token_seconds_count", "lianzi_generation_seconds_count"} <= timed
    assert found["lianzi_active_rows", "echo"] == 0
    assert "secret" not in "".join(said)
    assert all(" rows=1 tokens=6 " in line for line in said[:2])
    assert [line.split()[2] for line in said[:3]] == ["completions", "completions", "embeddings"]
