from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from components.runtime.generation.generator import load_generator
from components.serving.generation import Generation
from components.serving.request_error import RequestError
from tests.serving.conftest import Generators
from tests.serving.scripted import ScriptedGenerator


def scripted(**changes: Any) -> Generation:
    return Generation(ScriptedGenerator(**changes), 256)  # type: ignore[arg-type]


def test_no_more_tokens_are_asked_for_than_fit() -> None:
    model = scripted(max_length=10)
    ids = model.prompt("abc", "prompt")
    assert [model.generation_request(ids, most, None, None, 0, ()).sampling.max_tokens for most in (None, 5, 99)] == [
        7,
        5,
        7,
    ]


def test_an_encoder_decoders_answer_does_not_stand_behind_its_source() -> None:
    model = scripted(max_length=10, encoder="there is one")
    assert model.room([1] * 10) == 10
    assert model.room([1] * 11) == 0


def test_openais_defaults_draw_freely_and_zero_is_kept() -> None:
    by = scripted().generation_request([1], 5, None, None, 3, ("x",)).sampling
    assert (by.temperature, by.top_p, by.seed, by.stop) == (1.0, 1.0, 3, ("x",))
    assert scripted().generation_request([1], 5, 0.0, 0.5, 3, ()).sampling.temperature == 0.0


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(RequestError, match="'prompt' holds no token"):
        scripted().prompt([], "prompt")


@pytest.mark.slow
def test_a_bundle_answers_as_its_runtime_does(generators: Generators) -> None:
    model = Generation.load(generators.letters)
    by = dataclasses.replace(model.generation_request(model.prompt("ship 門", "prompt"), 6, 0.0, None, 0, ()).sampling)
    generator = load_generator(generators.letters)
    row = model.generator.start(model.prompt("ship 門", "prompt"), by)
    while row.finished is None:
        model.generator.step([row])
    assert row.text == generator.complete(["ship 門"], by)[0]
    assert len(row.tokens) <= 6
    assert model.describe()["platform"] == "onnxruntime_onnx"
