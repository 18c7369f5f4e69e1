from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.serving.openai_requests import ChatRequest, CompletionRequest, EmbeddingRequest, read_asked, rows_of
from components.serving.request_error import RequestError

GOOD = {"model": "m", "prompt": "p"}
SAID = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def refusal(kind: Any, content: Any) -> RequestError:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(RequestError) as caught:
        read_asked(kind, body)
    assert caught.value.status == 400
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not valid JSON"),
        (b"{", "the body is not valid JSON"),
        (b"\xff", "the body is not valid JSON"),
        (b"[" * 5000, "the body is not valid JSON"),
        (b'{"model": "m", "prompt": "\\ud800"}', "the body is not valid JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, reason: str) -> None:
    assert refusal(CompletionRequest, body).reason.startswith(reason)


@pytest.mark.parametrize(
    ("changes", "param", "reason"),
    [
        ({"prompt": None}, "prompt", "'prompt' is a string, a list"),
        ({"prompt": ""}, "prompt", "none of them empty"),
        ({"prompt": []}, "prompt", "none of them empty"),
        ({"prompt": [[]]}, "prompt", "none of them empty"),
        ({"prompt": [-1]}, "prompt", "token ids"),
        ({"prompt": ["a", 1]}, "prompt", "'prompt' is"),
        ({"model": 3}, "model", "the name of a model"),
        ({"max_tokens": 0}, "max_tokens", "a whole number above 0"),
        ({"max_tokens": 1.5}, "max_tokens", "a whole number above 0"),
        ({"max_tokens": True}, "max_tokens", "a whole number above 0"),
        ({"temperature": -0.1}, "temperature", "a number from 0 to 2"),
        ({"temperature": "1"}, "temperature", "a number from 0 to 2"),
        ({"top_p": 0}, "top_p", "above 0, at most 1"),
        ({"seed": 2**63}, "seed", "a whole number of 64 bits"),
        ({"stop": ""}, "stop", "none of them empty"),
        ({"stop": list("abcde")}, "stop", "at most 4"),
        ({"stop": "a" * 1001}, "stop", "of more than 1000 characters"),
        ({"stop": ["a", "b" * 1001]}, "stop", "of more than 1000 characters"),
        ({"n": 2}, "n", "1, the only number of choices that is supported"),
        ({"n": True}, "n", "1, the only number"),
        ({"best_of": 3}, "best_of", "no other value is supported"),
        ({"echo": True}, "echo", "false, no other value"),
        ({"echo": 0}, "echo", "false, no other value"),
        ({"logprobs": 5}, "logprobs", "null, no other value"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "{}, no other value"),
        ({"presence_penalty": 0.5}, "presence_penalty", "0, no other value"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream_options": {"all": True}}, "stream_options", "include_usage"),
        ({"tools": []}, "tools", "'tools' is not supported"),
        ({"metadata": {"a": "b"}}, "metadata", "null or empty, no other value"),
        ({"a\nb": 1}, "a?b", "'a?b' is not supported"),
    ],
)
def test_a_parameter_that_is_wrong_is_named_with_what_it_should_be(changes: Any, param: str, reason: str) -> None:
    found = refusal(CompletionRequest, GOOD | changes)
    assert found.param == param
    assert reason in found.reason


def test_a_parameter_that_is_missing_is_named() -> None:
    assert refusal(CompletionRequest, {"prompt": "p"}).code == "missing_parameter"
    assert refusal(ChatRequest, {"model": "m"}).reason == "'messages' is missing: a list of at least one message"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("hello", "number 1 is none"),
        ({"role": "robot", "content": "a"}, "number 1: 'role' is system, developer, user or assistant"),
        ({"role": "user"}, "number 1: 'content' is a string, or a list of parts"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "number 1: 'content' is a string, or a list of parts"),
    ],
)
def test_the_message_that_is_wrong_is_named(message: Any, reason: str) -> None:
    found = refusal(ChatRequest, SAID | {"messages": [*SAID["messages"], message]})
    assert (found.param, reason in found.reason) == ("messages", True), found.reason


def test_values_that_change_nothing_are_taken() -> None:
    neutral = {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "user": "me"}
    assert read_asked(CompletionRequest, json.dumps(GOOD | neutral | {"best_of": 1, "echo": False}).encode())
    chat = SAID | neutral | {"logprobs": False, "response_format": {"type": "text"}}
    assert read_asked(ChatRequest, json.dumps(chat).encode())
    nothing = dict.fromkeys(set(CompletionRequest.model_fields) - set(GOOD))
    assert read_asked(CompletionRequest, json.dumps(GOOD | nothing).encode()).stops == ()


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "m", "prompt": "p", "%s": %s}' % (name, value)
        for name in (b"max_tokens", b"seed", b"temperature", b"top_p", b"n", b"frequency_penalty")
        for value in (b"9" * 5000, b"-" + b"9" * 5000, b"1e400", b"NaN", b"-Infinity", b"0x1", b"[]", b'"1"')
    ],
)
def test_a_number_that_is_none_or_too_large_is_refused(body: bytes) -> None:
    refusal(CompletionRequest, body)


@pytest.mark.parametrize("wrong", [None, 1.5, {}, [], [1.5], ""])
def test_a_long_list_is_looked_at_as_far_as_its_first_fault(wrong: Any) -> None:
    """Each fault is an object in memory, and a body holds a million: everyone would wait while they are made."""
    counted = {
        CompletionRequest: GOOD | {"prompt": [wrong] * 1000},
        EmbeddingRequest: {"model": "m", "input": [wrong] * 1000},
        ChatRequest: {"model": "m", "messages": [wrong] * 1000},
    }
    for kind, content in counted.items():
        with pytest.raises(ValidationError) as caught:
            kind.model_validate_json(json.dumps(content))
        assert caught.value.error_count() < 20
    parts = SAID | {"messages": [{"role": "user", "content": [wrong] * 1000}]}
    with pytest.raises(ValidationError) as caught:
        ChatRequest.model_validate_json(json.dumps(parts))
    assert caught.value.error_count() < 20


EMPTY_FIELDS = ("refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning_content")


@pytest.mark.parametrize("empty", [None, [], {}, ""])
def test_an_answer_goes_back_with_the_fields_it_leaves_empty(empty: Any) -> None:
    said = [*SAID["messages"], {"role": "assistant", "content": "hi"} | dict.fromkeys(EMPTY_FIELDS, empty)]
    beside = dict.fromkeys(("tools", "functions", "metadata", "tool_choice", "service_tier", "prediction"), empty)
    asked = read_asked(ChatRequest, json.dumps(SAID | beside | {"messages": said}).encode())
    assert asked.messages[1].plain == {"role": "assistant", "content": "hi"}


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"tools": [{}]}, "tools"), ({"store": True}, "store"), ({"top_logprobs": 2}, "top_logprobs")],
)
def test_what_would_change_the_answer_is_refused_still(changes: Any, param: str) -> None:
    found = refusal(ChatRequest, SAID | changes)
    assert (found.param, "no other value is supported" in found.reason) == (param, True)
    said = {"role": "assistant", "content": "hi", "tool_calls": [{"id": "1"}]}
    found = refusal(ChatRequest, SAID | {"messages": [*SAID["messages"], said]})
    assert "number 1: 'tool_calls' is null or empty" in found.reason


def test_stop_strings_are_one_or_several() -> None:
    assert read_asked(CompletionRequest, json.dumps(GOOD | {"stop": "。"}).encode()).stops == ("。",)
    assert read_asked(CompletionRequest, json.dumps(GOOD | {"stop": ["a", "b"]}).encode()).stops == ("a", "b")


@pytest.mark.parametrize(
    ("given", "rows"), [("ab", ["ab"]), (["ab", "c"], ["ab", "c"]), ([1, 2], [[1, 2]]), ([[1, 2], [3]], [[1, 2], [3]])]
)
def test_each_input_is_a_row(given: Any, rows: Any) -> None:
    asked = read_asked(EmbeddingRequest, json.dumps({"model": "m", "input": given}).encode())
    assert rows_of(asked.input) == rows
