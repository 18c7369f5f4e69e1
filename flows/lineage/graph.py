"""The graph of what was made from what: nodes by their content, links from an input to what was made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """key: a digest, or `version:TASK@N`, `run:ID`, `server:ADDRESS`, `row:ID`, `answer:ID`; kind: a manifest's, or
    data, version, run, server, row, answer; name: a folder or a title; facts: what is said of it; details: for
    programs; time: when it was made, in seconds since 1970, None where that is unknown."""

    key: str
    kind: str
    name: str
    facts: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)
    time: float | None = None


@dataclass(frozen=True)
class Link:
    """`target` was made from `source`, which it names `role`."""

    source: str
    target: str
    role: str


@dataclass
class Graph:
    """Nodes by key, and links between them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    links: set[Link] = field(default_factory=set)

    def add(self, node: Node, made_from: Mapping[str, str] | None = None) -> None:
        """Add a node and the links to it, `made_from`: role -> key. A key that is known keeps its node."""
        self.nodes.setdefault(node.key, node)
        for role, key in (made_from or {}).items():
            self.links.add(Link(key, node.key, role))

    def above(self, keys: Iterable[str]) -> set[str]:
        """What these were made from, directly or through others."""
        return _reached(keys, [(link.target, link.source) for link in self.links])

    def below(self, keys: Iterable[str]) -> set[str]:
        """What was made from these, directly or through others."""
        return _reached(keys, [(link.source, link.target) for link in self.links])

    def part(self, keys: Iterable[str]) -> Graph:
        """These nodes, and the links among them."""
        kept = set(keys)
        links = {link for link in self.links if link.source in kept and link.target in kept}
        return Graph({key: node for key, node in self.nodes.items() if key in kept}, links)

    def ordered(self) -> list[Node]:
        """An input before what was made from it; else by name."""
        depth = self.depths()
        return sorted(self.nodes.values(), key=lambda node: (depth[node.key], node.name, node.key))

    def depths(self) -> dict[str, int]:
        """The most links on a way from an input of all to each node."""
        depth = dict.fromkeys(self.nodes, 0)
        links = [link for link in self.links if link.source in depth and link.target in depth]
        for _ in range(len(depth)):
            deeper = {link.target for link in links if depth[link.target] <= depth[link.source]}
            if not deeper:
                break
            for link in links:
                depth[link.target] = max(depth[link.target], depth[link.source] + 1)
        return depth


def _reached(keys: Iterable[str], steps: Iterable[tuple[str, str]]) -> set[str]:
    near: dict[str, list[str]] = {}
    for one, other in steps:
        near.setdefault(one, []).append(other)
    found: set[str] = set()
    rest = list(keys)
    while rest:
        new = [key for key in near.get(rest.pop(), ()) if key not in found]
        found.update(new)
        rest += new
    return found
