"""The graph of a small project."""

from __future__ import annotations

from pathlib import Path

from components.serving.servers import Server, note_server
from flows.lineage.collect import collected
from tests.small_lineage import names, start_of


def test_an_input_whose_folder_is_gone_is_still_told(run_id: str, tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "colour" / "teacher" / "manifest.json").unlink()
    graph, key = start_of(tmp_path, "artifacts/colour/bundle")
    assert {"a classifier", "artifacts/tasks/colour", "data: rows"} <= names(graph, graph.above([key]))


def test_a_server_that_was_killed_answers_nothing(run_id: str, tmp_path: Path) -> None:
    note_server(tmp_path, Server("http://gone", 2**22 + 1, {"colour": {"version": "1", "digest": ""}}))
    assert "http://gone" not in names(collected(tmp_path), set(collected(tmp_path).nodes))
