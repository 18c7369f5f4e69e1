from __future__ import annotations

import inspect

import pytest

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.table import BASELINES, baseline_class


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_of_the_table_is_tuned_asked_and_measured(name: str) -> None:
    found = baseline_class(BASELINES[name])
    assert list(inspect.signature(found.tuned).parameters) == ["data"]
    assert list(inspect.signature(found.predict).parameters) == ["self", "texts"]
    assert callable(found.megabytes)
    assert found.title


def test_what_a_baseline_learns_from_needs_no_bundle() -> None:
    optional = [name for name, one in inspect.signature(TuningData).parameters.items() if one.default is not one.empty]
    assert optional == ["bundle", "made", "seed"]
