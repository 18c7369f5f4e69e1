from __future__ import annotations

import numpy as np
import pytest

from components.errors import EngineError
from components.inference.profiles import GraphTensor, Profile, graph_inputs, role, sample
from tests.small_ladder import Ladder

ENCODER = (
    GraphTensor("input_ids", "int64", ("batch", "length")),
    GraphTensor("attention_mask", "int64", ("batch", "length")),
)
DECODER = (
    GraphTensor("input_ids", "int64", ("batch", "length")),
    GraphTensor("attention_mask", "int64", ("batch", "past_and_length")),
    GraphTensor("position_ids", "int64", ("batch", "length")),
    GraphTensor("past.0.key", "float32", ("batch", 4, "past", 16)),
)
CROSS = (*DECODER, GraphTensor("cross.0.key", "float32", ("batch", 4, "source", 16)))


def test_an_encoder_is_built_for_one_row_and_many_short_and_long() -> None:
    buckets = Profile(8, 64).buckets(ENCODER)
    assert [bucket["input_ids"].largest for bucket in buckets] == [(1, 16), (1, 64), (8, 16), (8, 64)]
    assert all(bucket["input_ids"].smallest == (1, 1) for bucket in buckets)
    assert all(bucket["input_ids"] == bucket["attention_mask"] for bucket in buckets)


def test_a_decoder_is_built_for_its_prompt_and_for_one_token_with_any_past() -> None:
    buckets = Profile(2, 32, max_past=96).buckets(DECODER)
    assert [bucket["input_ids"].largest for bucket in buckets] == [(1, 1), (1, 32), (2, 1), (2, 32)]
    for bucket in buckets:
        assert bucket["past.0.key"].smallest == (1, 4, 0, 16)
        assert bucket["past.0.key"].largest[2] == 96
        for end in range(1, 3):  # usual and largest
            tokens, past = bucket["input_ids"][end][1], bucket["past.0.key"][end][2]
            assert bucket["attention_mask"][end][1] == tokens + past


def test_an_encoder_decoder_has_room_for_the_source() -> None:
    assert Profile(2, 32).buckets(CROSS)[0]["cross.0.key"].largest == (1, 4, 32, 16)


def test_a_profile_of_one_row_and_one_token_is_one_bucket() -> None:
    assert len(Profile(1, 1).buckets(ENCODER)) == 1


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("batch_size", "batch"),
        ("sequence_length", "length"),
        ("past_sequence_length", "past"),
        ("past_sequence_length + sequence_length", "past_and_length"),
        ("total_sequence_length", "past_and_length"),
        ("encoder_sequence_length", "source"),
    ],
)
def test_axes_are_known_by_the_names_that_others_give_them(axis: str, expected: str) -> None:
    assert role(ENCODER[0], axis) == expected


def test_an_axis_whose_name_tells_nothing_is_named() -> None:
    strange = (GraphTensor("pixels", "float32", ("batch", "width")),)
    with pytest.raises(EngineError, match="input pixels has a dynamic axis 'width'"):
        Profile(1, 8).buckets(strange)


def test_samples_have_the_shapes_of_their_corner() -> None:
    for sizes in Profile(3, 8).corners(CROSS):
        feeds = sample(CROSS, sizes, 0, 100)
        assert feeds["attention_mask"].shape[1] == feeds["input_ids"].shape[1] + feeds["past.0.key"].shape[2]
        assert feeds["input_ids"].max() < 100
        assert feeds["position_ids"][0, 0] == feeds["past.0.key"].shape[2]
        assert feeds["cross.0.key"].dtype == np.float32


def test_samples_repeat() -> None:
    sizes = Profile(3, 8).corners(ENCODER)[1]
    first, again, other = (sample(ENCODER, sizes, seed, 100)["input_ids"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_inputs_of_a_file_are_read_with_their_axes(ladder: Ladder) -> None:
    assert graph_inputs(ladder.onnx / "model.onnx") == ENCODER
