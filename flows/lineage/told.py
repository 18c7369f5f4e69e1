"""A lineage as lines for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flows.lineage.graph import Graph, Node


def lineage_lines(graph: Graph, start: str) -> list[str]:
    """The node, what it was made from, and what came of it and answers with it."""
    own = graph.nodes[start]
    lines = [_line(own, "")]
    for title, keys in (("made from", graph.above([start])), ("went into", graph.below([start]))):
        nodes = graph.part(keys).ordered()
        lines += [f"{title}:" + ("" if nodes else " nothing that is known here")]
        lines += [_line(node, "  ") for node in nodes]
    return lines


def _line(node: Node, indent: str) -> str:
    return f"{indent}{node.kind:<10} {node.name:<32} {'; '.join(node.facts)}".rstrip()


def lineage_json(graph: Graph, start: str) -> dict[str, Any]:
    """{"start", "nodes", "links"}: the part of the graph above and below a node."""
    links = sorted(graph.links, key=lambda link: (link.source, link.target, link.role))
    return {
        "start": start,
        "nodes": [asdict(node) | {"facts": list(node.facts)} for node in graph.ordered()],
        "links": [asdict(link) for link in links],
    }


def lineage_of(graph: Graph, start: str) -> Graph:
    """The part of a graph that a node was made from, and that came of it."""
    return graph.part({start} | graph.above([start]) | graph.below([start]))
