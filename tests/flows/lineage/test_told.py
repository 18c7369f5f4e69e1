"""A lineage as lines and as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from components.artifacts import digest
from components.serving.servers import Server, note_server
from flows.lineage.told import lineage_json, lineage_lines, lineage_of
from tests.small_lineage import names, start_of


def test_a_version_leads_up_to_the_data_and_down_to_the_server(run_id: str, tmp_path: Path) -> None:
    bundle = digest(tmp_path / "artifacts" / "colour" / "bundle")
    note_server(tmp_path, Server("http://here", os.getpid(), {"colour": {"version": "1", "digest": bundle}}))
    graph, key = start_of(tmp_path, "colour@champion")
    assert key == "version:colour@1"
    assert {"data: rows", "artifacts/tasks/colour", "artifacts/colour/teacher", "artifacts/colour/bundle"} <= names(
        graph, graph.above([key])
    )
    assert names(graph, graph.below([key])) == {"http://here"}
    told = "\n".join(lineage_lines(graph, key))
    assert "colour@1 (champion)" in told
    assert "3 rows (test 1, train 2); 1 files" in told
    assert "commit c0ffeec0; 1 parameters" in told


def test_a_canary_leads_down_to_the_server_that_gives_it_a_share(run_id: str, tmp_path: Path) -> None:
    bundle = digest(tmp_path / "artifacts" / "colour" / "bundle")
    canary = {"colour": {"version": "1", "digest": bundle}}
    note_server(tmp_path, Server("http://here", os.getpid(), {}, canary, 0.1))
    graph, key = start_of(tmp_path, "colour@1")
    assert names(graph, graph.below([key])) == {"http://here"}
    assert "10.0% to colour v1" in "\n".join(lineage_lines(graph, key))


def test_json_holds_the_files_and_parameters(run_id: str, tmp_path: Path) -> None:
    graph, key = start_of(tmp_path, "colour@1")
    told = json.loads(json.dumps(lineage_json(lineage_of(graph, key), key)))
    nodes = {node["name"]: node for node in told["nodes"]}
    assert list(nodes["artifacts/colour/bundle"]["details"]["files"]) == ["content"]
    assert any(node["details"].get("params") == {"finetune.epochs": "3"} for node in told["nodes"])
