"""components.training.features.feature: the form that every file of the table has."""

from __future__ import annotations

from importlib import import_module

import pytest

from components.training.config import FEATURES
from components.training.features.feature import Features


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_of_the_table_reads_and_compares(name: str) -> None:
    module = import_module(f"components.training.features.{name}")
    [kind] = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Features) and one is not Features
    ]
    assert not kind.__abstractmethods__
