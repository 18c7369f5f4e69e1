from __future__ import annotations

import numpy as np

from components.deployment.rows import read_rows
from components.evaluation.rungs import RUNGS, bundle_rung, system_of, systems, torch_rung
from components.tasks.classification import Classification
from tests.small_ladder import LABELS, TASK, Ladder

KIND = Classification(tuple(LABELS))


def test_rungs_of_one_model_answer_alike_in_the_order_of_the_texts(ladder: Ladder) -> None:
    test = read_rows(ladder.rows, "test", LABELS)
    torch_answers = torch_rung(KIND, ladder.student, TASK.max_length)(test.texts)
    assert np.array_equal(torch_answers, bundle_rung(KIND, ladder.bundle, "fp32")(test.texts))
    assert (torch_answers == bundle_rung(KIND, ladder.bundle, None)(test.texts)).mean() > 0.9
    assert (torch_answers == test.targets).mean() > 0.8


def test_the_candidate_stands_last() -> None:
    assert RUNGS[0] == "baseline"
    assert RUNGS[-1] == "candidate"


def test_quantized_rungs_stand_between_the_float_graph_and_the_candidate() -> None:
    assert systems(["fp32", "int8", "int8_static"])[-4:] == ("onnx", "int8", "int8_static", "candidate")
    assert [system_of(rung) for rung in ("fp32", "int8")] == ["onnx", "int8"]
    assert systems(["fp32"]) == RUNGS
