from __future__ import annotations

import numpy as np
import pytest

from components.serving.request_error import RequestError
from components.serving.tensors import Tensor, from_binary, from_json, to_binary, to_flat


def test_strings_survive_the_binary_form() -> None:
    words = ["ship", "", "門市", "a\x00b"]
    tensor = Tensor("text", "BYTES", (2, 2), words)
    assert from_binary("text", "BYTES", (2, 2), to_binary(tensor)) == tensor


def test_the_binary_form_of_strings_is_tritons() -> None:
    assert to_binary(Tensor("text", "BYTES", (2,), ["ab", "門"])) == b"\x02\0\0\0ab\x03\0\0\0\xe9\x96\x80"


def test_numbers_are_little_endian_and_row_by_row() -> None:
    values = np.array([[1, 2], [3, -1]], dtype=np.int64)
    data = to_binary(Tensor("input_ids", "INT64", (2, 2), values.T))
    assert data == b"".join(int(one).to_bytes(8, "little", signed=True) for one in (1, 3, 2, -1))
    assert np.array_equal(from_binary("input_ids", "INT64", (2, 2), data).values, values.T)


def test_flat_and_nested_data_are_the_same_tensor() -> None:
    flat = from_json("input_ids", "INT64", (2, 2), [1, 2, 3, 4])
    nested = from_json("input_ids", "INT64", (2, 2), [[1, 2], [3, 4]])
    assert np.array_equal(flat.values, nested.values)
    assert np.array_equal(to_flat(flat), [1, 2, 3, 4])


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1, 2]], [[1, 2], 3], [1, 2, 3], [[1, 2], [3, [4]]]])
def test_ragged_data_is_refused(data: list[object]) -> None:
    with pytest.raises(RequestError):
        from_json("input_ids", "INT64", (2, 2), data)


def test_a_shape_far_larger_than_the_data_allocates_nothing() -> None:
    huge = (2**30, 2**30, 2**30)
    for refuse in (lambda: from_json("a", "INT64", huge, [1]), lambda: from_binary("a", "INT64", huge, b"12345678")):
        with pytest.raises(RequestError):
            refuse()
