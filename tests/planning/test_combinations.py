"""components.planning.combinations: what a run would fail by, whatever is known of the project."""

from __future__ import annotations

import pytest

from components.errors import ParameterError
from components.params import Params
from components.planning.combinations import check_combinations


def test_the_shipped_parameters_go_together(params: Params) -> None:
    check_combinations(params)


def test_a_batch_with_fewer_rows_than_parts_is_told(params: Params) -> None:
    divided = params.trainer.model_copy(update={"accumulate": 64})
    with pytest.raises(ParameterError, match=r"a batch of .* rows is too small for 64 parts"):
        check_combinations(params.model_copy(update={"trainer": divided}))
