from __future__ import annotations

import base64

import numpy as np

from components.serving.openai_answers import ChatForm, CompletionForm, embeddings, event, usage


def test_an_event_is_one_line_and_an_empty_one() -> None:
    assert event({"text": "a\nb 門"}) == 'data: {"text":"a\\nb 門"}\n\n'.encode()


def test_ids_tell_the_kind_of_answer() -> None:
    assert CompletionForm("7", "m", "f").whole(["a"], ["stop"], usage(1, 2))["id"] == "cmpl-7"
    assert ChatForm("7", "m", "f").part(0, "a", None)["id"] == "chatcmpl-7"


def test_only_a_chat_tells_who_speaks_before_it_speaks() -> None:
    assert CompletionForm("7", "m", "f").first(2) == []
    assert [one["choices"][0]["index"] for one in ChatForm("7", "m", "f").first(2)] == [0, 1]


def test_the_last_part_of_a_chat_may_have_no_text() -> None:
    choice = ChatForm("7", "m", "f").part(1, "", "stop")["choices"][0]
    assert choice == {"index": 1, "delta": {}, "logprobs": None, "finish_reason": "stop"}


def test_vectors_in_base64_are_the_same_numbers() -> None:
    vectors = np.array([[0.5, -2.0], [1e-8, 3.0]], dtype=np.float32)
    packed = [one["embedding"] for one in embeddings("m", vectors, True, 4)["data"]]
    assert all(
        np.array_equal(np.frombuffer(base64.b64decode(one), "<f4"), row)
        for one, row in zip(packed, vectors, strict=True)
    )
    assert embeddings("m", vectors, False, 4)["data"][1]["index"] == 1
