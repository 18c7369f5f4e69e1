"""flows.sweeping.spec: the example is a sweep, and what is not one is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ParameterError
from flows.sweeping.spec import LocatedFile


def test_the_example_is_a_sweep_and_stands_in_the_docs(root: Path) -> None:
    spec = LocatedFile(root / "examples" / "sweep.yaml").spec
    assert (spec.trials, spec.parallel) == (12, 1)
    page = (root / "docs" / "sweeps.md").read_text(encoding="utf-8")
    shown = page.partition("```yaml\n")[2].partition("```")[0]
    assert all(name in shown for name in spec.parameters)


def test_one_parameter_inside_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(
        "objective: {file: a, metric: b, direction: minimize}\n"
        "parameters: {a.b: {type: choice, values: [1, 2]}, a: {type: choice, values: [1, 2]}}\n"
        "trials: 2\nseed: 1\n"
    )
    with pytest.raises(ParameterError, match=r"search.yaml:2: parameters: a.b is inside a"):
        LocatedFile(path)
