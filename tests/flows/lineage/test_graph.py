"""Nodes and links."""

from __future__ import annotations

from flows.lineage.graph import Graph, Node


def test_depths_order_an_input_before_what_was_made_from_it() -> None:
    graph = Graph()
    graph.add(Node("c", "bundle", "c"), {"model": "b", "rows": "a"})
    graph.add(Node("b", "classifier", "b"), {"rows": "a"})
    graph.add(Node("a", "task", "a"))
    assert graph.depths() == {"a": 0, "b": 1, "c": 2}
    assert [node.key for node in graph.ordered()] == ["a", "b", "c"]
