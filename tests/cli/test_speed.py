"""lianzi speed: the table of a bundle's rungs, and what stands in its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.speed import bundle_of, show_speed
from components.errors import ArtifactError, ParameterError
from flows.settings import change_params
from flows.timing import reported
from tests.flows.test_release import released_project
from tests.small_bundles import GENERATOR, bundle


def test_a_tasks_bundle_and_a_folder_are_timed_alike(
    project: Path, ladder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    released_project(project, ladder)
    change_params(project / "params.yaml", ("release.speed_rounds=10", "release.min_speedup=0.01"))
    for what in ("places", str(ladder.bundle)):
        show_speed(project, what)
        told = capsys.readouterr().out
        assert "rows/s" in told
        assert all(rung in told for rung in ("fp32", "int8", "int8_static", "int4_embeddings"))
        assert "a release here would ship int4_embeddings: it is" in told


def test_a_task_without_a_page_of_its_bundle_gets_one_that_says_it_was_not_released(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    page = project / "reports/speed/places/index.html"
    assert reported(project, "places", bundle) is None
    show_speed(project, str(ladder.bundle))  # a bundle from elsewhere has no page here
    assert not page.exists()
    show_speed(project, "places")
    assert "Not released; a release on this machine would ship" in page.read_text()
    found = reported(project, "places", bundle)
    assert found is not None
    assert set(found["systems"]) == set(found["ladder"])  # there is no teacher here
    before = page.stat().st_mtime_ns
    show_speed(project, "places")
    assert page.stat().st_mtime_ns == before


def test_what_is_neither_a_bundle_nor_a_task_is_refused(project: Path) -> None:
    with pytest.raises(ParameterError, match="'zzz' is neither a bundle's folder nor a task\ntasks: topic, form"):
        bundle_of(project, "zzz")


def test_a_task_without_a_bundle_says_what_makes_one(project: Path) -> None:
    with pytest.raises(ArtifactError, match="no bundle here"):
        bundle_of(project, "topic")


def test_without_rows_there_is_nothing_to_time_with(project: Path, ladder: Any) -> None:
    with pytest.raises(ArtifactError, match="no rows of 'places' to time with"):
        show_speed(project, str(ladder.bundle))


def test_a_bundle_of_a_language_model_was_timed_when_it_was_made(project: Path, tmp_path: Path) -> None:
    bundle(tmp_path / "story", GENERATOR)
    with pytest.raises(ArtifactError, match="not a classifier's bundle\na language model's rungs"):
        show_speed(project, str(tmp_path / "story"))
