"""flows.comparison.models: bundles out of DVC's cache. How they are compared, tests/test_small_pipeline.py shows."""

from __future__ import annotations

from pathlib import Path

from flows.comparison.models import fetched, tasks_of
from flows.reproduction.outputs import Recorded
from tests.flows.reproduction.test_outputs import folder


def test_a_recorded_folder_is_laid_out_whole_or_a_part_of_it(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "cache", lambda _: None)
    out = {"path": "rows", "md5": folder(tmp_path / "cache", **{"topic/test": b"1\n", "form/test": b"2\n"})}
    assert fetched(out, recorded, tmp_path / "rows", "topic/")
    assert [path.relative_to(tmp_path / "rows").as_posix() for path in (tmp_path / "rows").rglob("*")] == ["test.txt"]


def test_a_folder_that_the_cache_lacks_is_said_to_be_missing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "cache", lambda _: None)
    assert not fetched({"path": "rows", "md5": "0" * 32 + ".dir"}, recorded, tmp_path / "rows")


def test_tasks_are_those_with_a_bundle() -> None:
    bundle = {"path": "artifacts/topic/bundle", "md5": "1"}
    lock = {"build@topic": {"outs": [bundle]}, "curate": {"outs": [{"path": "artifacts/tasks", "md5": "2"}]}}
    assert tasks_of(lock) == {"topic": bundle}
