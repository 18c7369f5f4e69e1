from __future__ import annotations

import json
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import DataError
from components.evaluation.pass_at_k import Problem, completions, pass_at_k, read_problems, tried
from components.evaluation.sandbox import Limits
from components.runtime.generation.generator import Sampling, load_generator

LIMITS = Limits(seconds=5, megabytes=256)
ADD = {
    "prompt": "def add(one, other):\n",
    "canonical_solution": "    return one + other\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    "entry_point": "add",
}


def problems(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "problems.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("samples", range(1, 7))
def test_the_estimate_is_the_share_of_all_draws_with_one_that_passes(samples: int) -> None:
    for right, k in product(range(samples + 1), range(1, samples + 1)):
        drawn = list(combinations([number < right for number in range(samples)], k))
        assert pass_at_k(samples, right, k) == pytest.approx(np.mean([any(one) for one in drawn]))


def test_problems_are_read_and_their_own_solutions_pass(tmp_path: Path) -> None:
    [problem] = read_problems(problems(tmp_path, ADD), LIMITS)
    assert problem.program("    return 3\n").endswith("check(add)\n")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"canonical_solution": "    return one\n"}, "its own solution does not pass its tests: AssertionError"),
        (
            {"canonical_solution": "    while True: pass\n"},
            "its own solution does not pass its tests: took longer than",
        ),
        ({"entry_point": "a b"}, "'entry_point' is 'a b', not a function's name"),
        ({"test": 3}, "'test' is a number, not text"),
    ],
)
def test_a_problem_that_nothing_can_pass_is_refused_with_its_place(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = problems(tmp_path, ADD | changes)
    with pytest.raises(DataError) as refusal:
        read_problems(path, Limits(seconds=1, megabytes=256))
    assert str(refusal.value).startswith(f"{path}:1: {told}")


def test_programs_of_a_model_are_run_and_those_that_fail_are_counted(decoder_bundle: Path) -> None:
    generator = load_generator(decoder_bundle, "fp32")
    sampling = Sampling(4, 0.9, 1.0, 3, ())
    first = completions(generator, "ship wave", 3, sampling)
    assert first == completions(generator, "ship wave", 3, sampling)
    assert len({*first}) > 1
    # What the model writes stands in a comment: the first problem's tests pass whatever it is, the second's never.
    asked = [Problem("a:1", "# ", "assert True"), Problem("a:2", "# ", "assert False")]
    found = tried(generator, asked, 2, sampling, LIMITS)
    assert found.right == [2, 0]
    assert found.reasons == {"AssertionError": 2}
    assert found.pass_at(1) == 0.5
