from __future__ import annotations

import numpy as np
import pytest
import torch

from components.errors import EngineError
from components.tasks.regression import Regression

STARS = Regression.fit([1.0, 3.0, 5.0])
ROWS = [{"label": 1.0}, {"label": 5.0}]


def test_the_scale_is_that_of_the_training_rows() -> None:
    assert Regression(("number",), 3.0, pytest.approx((8 / 3) ** 0.5)) == STARS
    with pytest.raises(ValueError, match="every train row has the number 2"):
        Regression.fit([2.0, 2.0])
    with pytest.raises(ValueError, match="every train row has the number 0"):
        Regression.fit([0.0, 1e-200])  # whose squares are none


@pytest.mark.parametrize("label", ["3", None, True, float("nan"), float("-inf")])
def test_only_finite_numbers_are_taken(label: object) -> None:
    STARS.check(3.5)
    with pytest.raises(ValueError, match="is not a finite number"):
        STARS.check(label)


def test_outputs_are_deviations_from_the_mean() -> None:
    targets = STARS.targets(ROWS)
    outputs = ((targets - STARS.mean) / STARS.deviation)[:, None].astype(np.float32)
    assert STARS.decode(outputs) == pytest.approx(targets)
    assert STARS.loss(torch.from_numpy(outputs), torch.from_numpy(targets)).item() == pytest.approx(0, abs=1e-9)
    assert STARS.loss(torch.zeros(2, 1), torch.from_numpy(targets)).item() == pytest.approx(3)


@pytest.mark.parametrize("output", [np.nan, np.inf])
def test_an_output_that_is_no_number_is_an_error_naming_its_row(output: float) -> None:
    with pytest.raises(EngineError, match=r"the answer to row 1 is (nan|inf), not a finite number"):
        STARS.decode(np.array([[0], [output]], dtype=np.float32))


def test_answers_that_lie_close_together_are_the_same() -> None:
    near, far = 3 + 0.19 * STARS.deviation, 3 + 0.21 * STARS.deviation
    assert STARS.agreement(np.array([3.0, 3.0]), np.array([near, far])) == 0.5


@pytest.mark.parametrize("scale", [{"deviation": 0.0}, {"deviation": float("nan")}, {"mean": float("inf")}])
def test_a_scale_that_is_none_is_refused(scale: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="are no scale"):
        Regression.from_manifest(STARS.manifest() | scale)
