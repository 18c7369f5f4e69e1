"""flows.releasing.behaviour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.params import Params
from flows.releasing.behaviour import LIMITS, Behaviour, asked
from flows.releasing.gates import Outcome, judge
from tests.flows.releasing.test_gates import GOOD

FOUND = {
    "slices": {"worst": "label Technology", "worst_gap": -0.12},
    "calibration": {"ece": 0.04},
    "robustness": {"perturbations": {"typos": {"flip_rate": {"value": 0.06}}, "link": {"flip_rate": {"value": 0.0}}}},
    "fairness": {"worst_gap": 0.03, "worst": "names, Ann / Li"},
    "leakage": {"leaked_rows": 2},
    "memorisation": {"training_rows": {"rows": 40, "extractable": {"value": 0.25}}},
}
BEHAVIOUR = {name: Behaviour(metrics, (f"the worst of {name}",)) for name, metrics in FOUND.items()}


def said(params: Params, behaviour: Any, **limits: float) -> Outcome:
    return judge(replace(GOOD, behaviour=behaviour), params.release.model_copy(update=limits))[-1]


def test_no_limit_asks_for_no_gate(params: Params) -> None:
    assert asked(params.release) == []
    assert {limit.parameter for limit in LIMITS.values()} <= {*type(params.release).model_fields}


@pytest.mark.parametrize(
    ("parameter", "allowed", "told"),
    [
        ("max_slice_gap", 0.1, "0.12 below the rest in the slice 'label Technology', release.max_slice_gap allows 0.1"),
        ("max_calibration_error", 0.03, "0.04 expected calibration error, release.max_calibration_error allows 0.03"),
        ("max_flip_rate", 0.05, "0.06 of the answers change by typos, release.max_flip_rate allows 0.05"),
        (
            "max_fairness_gap",
            0.02,
            "0.03 between groups: names, Ann / Li, release.max_fairness_gap allows 0.02",
        ),
        ("max_leaked_rows", 0, "2 test rows were seen in training, release.max_leaked_rows allows 0"),
        ("max_memorised_rows", 9, "10 training rows are written word for word, release.max_memorised_rows allows 9"),
    ],
)
def test_a_gate_names_the_worst_and_the_limit(params: Params, parameter: str, allowed: float, told: str) -> None:
    refused, passed = (said(params, BEHAVIOUR, **{parameter: limit}) for limit in (allowed, 10 * allowed + 2))
    analysis = next(limit.analysis for limit in LIMITS.values() if limit.parameter == parameter)
    assert (refused.passed, refused.sentence) == (False, f"{told}: the worst of {analysis}")
    assert passed.passed


def test_what_was_not_analyzed_is_refused_and_what_does_not_fit_the_kind_is_not(params: Params) -> None:
    missing = said(params, None, max_leaked_rows=0)
    assert (missing.passed, missing.sentence) == (
        False,
        "metrics/analyze/places.json is missing: `dvc repro analyze@places` makes it",
    )
    assert said(params, {}, max_memorised_rows=0) == Outcome(
        "memorised rows", True, "memorisation is not looked at where the kind is classification"
    )


def test_what_fits_the_kind_and_was_not_measured_keeps_to_no_limit(params: Params) -> None:
    few = said(params, {}, max_slice_gap=0.1)
    assert not few.passed
    assert few.sentence.startswith("slices found too little to measure in these rows, release.max_slice_gap allows 0.1")
    assert not said(params, {"robustness": Behaviour({"perturbations": {}, "tests": {}})}, max_flip_rate=0.1).passed


def test_without_a_slice_shown_to_be_worse_the_gap_is_none(params: Params) -> None:
    found = said(params, {"slices": Behaviour({"worst": "label Sport", "worst_gap": 0.0})}, max_slice_gap=0)
    assert (found.passed, found.sentence) == (
        True,
        "0 below the rest, since no slice is shown to be worse, release.max_slice_gap allows 0",
    )
