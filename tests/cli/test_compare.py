"""cli.compare: two results side by side. With trained models, tests/test_small_pipeline.py compares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.compare import PAGE, compare
from components.errors import ParameterError
from flows.comparison.page import MOST
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
    assert compare(project, ["HEAD~1", "HEAD"]) == [
        "parameter seed: 17 -> 7",
        "data data/rows.jsonl: 1 lines added, 0 removed, the first at line 4",
        "code components/sum.py: changed",
        f"page: {PAGE}",
    ]
    assert "<td>seed</td><td>17</td><td>7</td>" in (project / PAGE).read_text()


def test_a_result_is_not_compared_with_itself(project: Path) -> None:
    with pytest.raises(ParameterError, match="is compared with itself\nname another result"):
        compare(project, ["HEAD", "HEAD"])
    run(project, "git", "tag", "again")
    with pytest.raises(ParameterError, match="are the same result\nname another one"):
        compare(project, ["HEAD", "again"])


def test_an_experiment_of_dvc_and_several_results_stand_in_one_page(project: Path) -> None:
    run(project, "dvc", "exp", "run", "-q", "--name", "seven", "-S", "seed=8")
    told = compare(project, ["HEAD~1", "HEAD", "seven"])
    assert told[0] == "parameter seed: 17 -> 7 -> 8"
    assert any(line.startswith("code components/sum.py: HEAD") for line in told)
    assert "<td>seed</td><td>17</td><td>7</td><td>8</td>" in (project / PAGE).read_text()


def test_more_results_than_a_picture_can_tell_apart_are_refused(project: Path) -> None:
    with pytest.raises(ParameterError, match=f"compare {MOST} at most"):
        compare(project, ["HEAD"] * (MOST + 1))
