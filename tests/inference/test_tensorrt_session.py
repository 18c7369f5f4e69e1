from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from components.errors import EngineError
from components.inference.tensorrt_session import TensorRTSession
from tests.small_tensorrt import API, Engine, Memory


def session(silent: str = "") -> tuple[TensorRTSession, Engine]:
    memory = Memory()
    engine = Engine(memory, silent)
    logger = SimpleNamespace(last="what the library logged")
    return TensorRTSession("tensorrt", API, None, engine, memory, logger), engine


def ids(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def feeds(*shape: int) -> dict[str, np.ndarray]:
    return {"input_ids": ids(*shape), "attention_mask": ids(*shape)}


def test_named_arrays_go_in_and_come_out() -> None:
    loaded, engine = session()
    given = ids(3, 4)
    answers = loaded.run({"input_ids": given, "attention_mask": np.ones_like(given)})
    assert set(answers) == {"logits"}
    assert np.array_equal(answers["logits"][:, 0], given.sum(1))
    assert answers["logits"].dtype == np.float32
    assert engine.memory.frees == 1


def test_each_call_takes_the_smallest_profile_that_fits_and_keeps_its_context() -> None:
    loaded, engine = session()
    for rows in (1, 3, 1, 4):
        loaded.run(feeds(rows, 8))
    assert [context.profile for context in engine.contexts] == [0, 1]


def test_a_shape_outside_every_profile_is_refused_with_their_end() -> None:
    loaded, engine = session()
    with pytest.raises(EngineError, match=r"failed on shape \(5, 8\): it lies outside .* input_ids \(4, 8\)"):
        loaded.run(feeds(5, 8))
    assert engine.memory.frees == 1


def test_inputs_of_other_names_are_refused() -> None:
    loaded, _ = session()
    with pytest.raises(EngineError, match="tensorrt wants attention_mask, input_ids, not input_ids"):
        loaded.run({"input_ids": ids(1, 1)})


def test_inputs_and_outputs_are_told_from_the_engine() -> None:
    loaded, _ = session()
    assert [(given.name, given.dtype) for given in loaded.inputs] == [
        ("input_ids", "int64"),
        ("attention_mask", "int64"),
    ]
    assert [(made.name, made.dtype) for made in loaded.outputs] == [("logits", "float32")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("create_execution_context", "cannot make an execution context"),
        ("set_optimization_profile_async", "cannot take profile 0"),
        ("set_input_shape", "input_ids was refused"),
        ("set_tensor_address", "refuses the memory for input_ids"),
        ("infer_shapes", "its outputs' shapes need attention_mask"),
        ("get_tensor_shape", r"the shape of logits is not known beforehand: \(-1, 2\)"),
        ("execute_async_v3", "it failed while running"),
    ],
)
def test_an_answer_of_none_or_false_is_an_error_with_what_the_library_logged(call: str, message: str) -> None:
    loaded, engine = session(silent=call)
    with pytest.raises(EngineError, match=rf"{message}.*what the library logged"):
        loaded.run(feeds(1, 2))
    assert not engine.memory.held


def test_a_type_that_numpy_has_not_is_named() -> None:
    loaded, _ = session(silent="nptype")
    with pytest.raises(EngineError, match="input_ids is bfloat16, which numpy has not"):
        loaded.run(feeds(1, 2))
