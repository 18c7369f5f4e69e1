"""cli.compare: two results side by side. With trained models, tests/test_small_pipeline.py compares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.compare import PAGE, compare
from components.errors import ParameterError
from tests.small_results import add_a_row, change_code, commit, make_results, replaced, run


@pytest.fixture
def project(tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two committed results, from other data, code and parameters."""
    monkeypatch.chdir(make_results(root, mlflow_store, tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for change in (add_a_row, change_code, replaced("params.yaml", "seed: 17", "seed: 7")):
        change(tmp_path)
    run(tmp_path, "dvc", "repro", "-q")
    commit(tmp_path)
    return tmp_path


def test_what_two_commits_were_made_from_is_told_and_written_as_a_page(project: Path) -> None:
    assert compare(project, "HEAD~1", "HEAD") == [
        "parameter seed: 17 -> 7",
        "data data/rows.jsonl: 1 lines added, 0 removed, the first at line 4",
        "code components/sum.py: changed",
        f"page: {PAGE}",
    ]
    assert "<td>seed</td><td>17</td><td>7</td>" in (project / PAGE).read_text()


def test_a_result_is_not_compared_with_itself(project: Path) -> None:
    with pytest.raises(ParameterError, match="are the same result\nname another one"):
        compare(project, "HEAD", "HEAD")
