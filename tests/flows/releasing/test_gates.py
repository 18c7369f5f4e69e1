"""flows.releasing.gates: each says what it found and what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.deployment.config import ReleaseConfig
from components.deployment.speed_up import SpeedUp
from components.evaluation.metrics import Interval
from components.params import Params
from components.tasks.classification import Classification
from flows.releasing.gates import GATES, Evidence, Outcome, Rival, judge

LEVEL = {"value": 0.0, "low": -0.01, "high": 0.01}
BELOW = {"value": -0.061, "low": -0.084, "high": -0.038}
GOOD = Evidence(
    name="places",
    version=2,
    rung="int8",
    task=Classification(("a", "b", "c")),
    score=0.9,
    teacher=0.91,
    gains={"macro_f1": LEVEL, "accuracy": LEVEL},
    baseline="counting words",
    rival=None,
    milliseconds=1.234,
    megabytes=0.391,
    parity={"agreement": 0.998, "max_difference": 0.0585},
    leaks={"corpus": (0, 31063), "places_train": (0, 30)},
    licences={"poems": "MIT", "novel": "CC0-1.0"},
    reproduced="",
)
WON = Rival(1, 0.88, Interval(0.02, -0.01, 0.04))


@pytest.fixture(scope="module")
def limits(params: Params) -> ReleaseConfig:
    return params.release


def said(gate: str, found: Evidence, limits: ReleaseConfig, **changed: Any) -> Outcome:
    outcomes = judge(found, limits.model_copy(update=changed))
    assert [one.gate for one in outcomes] == list(GATES)
    return next(one for one in outcomes if one.gate == gate)


def test_with_the_limits_that_ship_a_good_model_passes_each_gate_with_a_sentence(limits: ReleaseConfig) -> None:
    assert [str(outcome) for outcome in judge(GOOD, limits)] == [
        "teacher passed: loses 0.0100 macro-F1 to its teacher, release.max_loss allows 0.03",
        "baseline passed: macro-F1 level with counting words, +0.000 (-0.010 to 0.010), accuracy level with counting "
        "words, +0.000 (-0.010 to 0.010), on the same rows",
        "champion passed: there is no champion of this kind of task to compare with",
        "latency passed: 1.23 ms a call of 1 row (p50)",
        "size passed: 0.391 MB",
        "parity passed: `build` let int8 pass against PyTorch: agreement 0.998, max difference 0.0585",
        "leakage passed: rows that a held-out split has too: 0 of 31,063 in corpus, 0 of 30 in places_train",
        "licences passed: of the corpus: CC0-1.0, MIT",
        "reproduced passed: not asked for: nobody computed it anew",
    ]


@pytest.mark.parametrize(
    ("gate", "found", "changed", "told"),
    [
        ("teacher", {"teacher": 0.94}, {}, "loses 0.0400 macro-F1 to its teacher, release.max_loss allows 0.03"),
        (
            "baseline",
            {"gains": {"macro_f1": BELOW, "accuracy": LEVEL}},
            {},
            "below counting words by 0.061 (-0.084 to -0.038) in macro-F1 on the same rows, "
            "release.min_gain_over_baseline asks for 0",
        ),
        (
            "champion",
            {"rival": replace(WON, score=0.91, gain=Interval(-0.01, -0.03, 0.01))},
            {},
            "macro-F1 0.9000 against 0.9100 of the champion v1, -0.0100 (-0.0300 to +0.0100) on the same rows, "
            "release.min_gain asks for more than 0",
        ),
        ("champion", {"rival": replace(WON, gain=Interval(0, 0, 0))}, {}, "+0.0000 (+0.0000 to +0.0000)"),
        ("champion", {"rival": WON}, {"sure_gain": True}, "more than 0 with the whole interval (release.sure_gain)"),
        ("latency", {}, {"max_milliseconds": 1}, "1.23 ms a call of 1 row (p50), release.max_milliseconds allows 1"),
        ("latency", {"milliseconds": None}, {"max_milliseconds": 9}, "calls of 1 row were not timed"),
        (
            "latency",
            {"rival": replace(WON, slowdown=SpeedUp(1.3, 1.2, 1.4))},
            {"max_slowdown": 1.1},
            "; 1.30 (1.20 to 1.40) times as long as the champion v1, release.max_slowdown allows 1.1",
        ),
        ("size", {}, {"max_megabytes": 0.3}, "0.391 MB, release.max_megabytes allows 0.3"),
        ("parity", {"parity": None}, {}, "metrics/build/places.json has no comparison of int8 with PyTorch"),
        ("leakage", {"leaks": {"corpus": (0, 9), "places_train": (2, 30)}}, {}, "2 of 30 in places_train"),
        ("leakage", {"leaks": None}, {}, "artifacts/validation has no verdict"),
        ("licences", {}, {"licences": ["MIT"]}, "CC0-1.0 of novel; release.licences allows MIT"),
        ("licences", {"licences": {}}, {"licences": ["MIT"]}, "the bundle names none"),
        ("reproduced", {}, {"require_reproduced": True}, "`lianzi reproduce places@2` does, then `lianzi run`"),
        ("reproduced", {"reproduced": "differs in build"}, {"require_reproduced": True}, "differs in build"),
    ],
)
def test_a_gate_refuses_with_the_figure_and_the_limit(
    gate: str, found: dict[str, Any], changed: dict[str, Any], told: str, limits: ReleaseConfig
) -> None:
    outcome = said(gate, replace(GOOD, **found), limits, **changed)
    assert not outcome.passed
    assert told in outcome.sentence


@pytest.mark.parametrize(
    ("gate", "found", "changed"),
    [
        ("champion", {"rival": WON}, {}),
        ("champion", {"rival": replace(WON, gain=Interval(0.02, 0.01, 0.04))}, {"sure_gain": True}),
        ("latency", {"rival": replace(WON, slowdown=SpeedUp(1.3, 1.0, 1.4))}, {"max_slowdown": 1.1}),
        ("latency", {}, {"max_milliseconds": 1.3}),
        ("size", {}, {"max_megabytes": 0.4}),
        ("licences", {}, {"licences": ["MIT", "CC0-1.0"]}),
        ("reproduced", {"reproduced": "equal, 2026-11-29, a CPU"}, {"require_reproduced": True}),
    ],
)
def test_a_gate_passes_what_is_within_its_limit(
    gate: str, found: dict[str, Any], changed: dict[str, Any], limits: ReleaseConfig
) -> None:
    assert said(gate, replace(GOOD, **found), limits, **changed).passed
