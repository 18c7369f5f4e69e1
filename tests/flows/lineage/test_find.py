"""A node is found by every kind of name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.trace import REQUESTS, Outputs, show_lineage
from components.artifacts import digest
from components.errors import ParameterError
from tests.small_lineage import REQUEST, log_answer, start_of


def test_every_kind_of_name_is_found(run_id: str, tmp_path: Path) -> None:
    bundle = tmp_path / "artifacts" / "colour" / "bundle"
    log_answer(tmp_path / ".lianzi" / "requests.jsonl")
    named = {
        "colour@1": "version:colour@1",
        "colour@v1": "version:colour@1",
        run_id: f"run:{run_id}",
        "artifacts/colour/bundle": digest(bundle),
        digest(bundle)[:12]: digest(bundle),
        REQUEST: f"answer:answer {REQUEST}",
        f"server=0.1;model=colour;version=1;bundle={digest(bundle)}": "answer:answer",
    }
    for name, key in named.items():
        assert start_of(tmp_path, name)[1] == key
    graph, key = start_of(tmp_path, REQUEST)
    assert "version:colour@1" in graph.above([key])
    assert graph.nodes[key].facts[1:] == ("answer blue", "score 0.9")


def test_an_unknown_name_is_refused_with_the_kinds_there_are(run_id: str, tmp_path: Path) -> None:
    for name, told in (("nobody", "nothing of this name is known here"), ("colour@9", "registered: colour@1")):
        with pytest.raises(ParameterError, match=told):
            show_lineage(tmp_path, name, False, Outputs(), REQUESTS)
