"""flows.reproduction.inputs: what a stage reads, beside what its result was recorded with."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.tracking.inputs import read_lock
from flows.reproduction.inputs import Input, differing_inputs
from tests.small_results import add_a_row, change_code, replaced


def test_inputs_as_they_were_recorded_are_not_told(project: Path) -> None:
    assert differing_inputs(project, read_lock(project)) == {}


def test_data_and_code_are_known_by_their_hashes(project: Path) -> None:
    lock = read_lock(project)
    add_a_row(project)
    change_code(project)
    found = differing_inputs(project, lock)
    assert {stage: [(one.kind, one.name) for one in inputs] for stage, inputs in found.items()} == {
        "sum": [("code", "components/sum.py"), ("data", "data")]
    }


def test_a_missing_file_is_told_as_missing(project: Path) -> None:
    (project / "components" / "sum.py").unlink()
    [found] = differing_inputs(project, read_lock(project))["sum"]
    assert found.told() == "code components/sum.py: missing now"


@pytest.mark.parametrize(
    ("file", "before", "now", "kind"),
    [("params.yaml", "seed: 17", "seed: 7", "parameter"), ("libraries.yaml", "numpy: ", "numpy: 0", "library")],
)
def test_values_are_told_before_and_now(project: Path, file: str, before: str, now: str, kind: str) -> None:
    lock = read_lock(project)
    replaced(file, before, now)(project)
    [found] = differing_inputs(project, lock)["sum"]
    assert found.kind == kind
    assert " recorded, " in Input("parameter", "seed", 17, 7).told()
