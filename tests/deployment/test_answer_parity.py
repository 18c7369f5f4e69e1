from __future__ import annotations

import pytest

from components.deployment.answer_parity import AnswerParity
from components.deployment.parity import Parity
from tests.small_language_bundles import LIMITS


@pytest.mark.parametrize(
    ("rung", "difference", "agreement", "told"),
    [
        ("fp32", 0.5, 1.0, "a logit differs from PyTorch's by 0.5 on one row, 0.001 is allowed"),
        ("int8", 0.5, 0.5, "answers as PyTorch on 50.0% of the texts, 90% is asked for"),
        ("int8", 0.5, 0.95, "None"),
        ("fp32", 1e-6, 1.0, "None"),
    ],
)
def test_a_rung_that_answers_otherwise_is_refused_with_the_reason(
    rung: str, difference: float, agreement: float, told: str
) -> None:
    parity = AnswerParity(Parity(difference, difference, 1.0, "one row"), agreement)
    assert str(parity.refusal(rung, LIMITS)) == told
    assert parity.metrics()["agreement"] == agreement
