"""What a sweep runs: the stages up to its metric, which of them once and which in every trial. Checked before work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import LianziError
from components.params import closest, flatten, read_yaml
from flows.settings import what_if
from flows.sweeping.spec import LocatedFile


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml. params: dotted names of params.yaml; reads: paths that no stage makes; plain: outputs that
    git has, not DVC's cache."""

    name: str
    needs: tuple[str, ...]
    params: tuple[str, ...]
    reads: tuple[str, ...]
    metrics: tuple[str, ...]
    plain: tuple[str, ...]

    def uses(self, parameter: str) -> bool:
        """Whether its result depends on the parameter, or on a part of it."""
        return any(_inside(parameter, name) or _inside(name, parameter) for name in self.params)


@dataclass(frozen=True)
class Plan:
    """once: the stages that no parameter of the sweep reaches; each_time: the others, the objective's last."""

    once: tuple[Node, ...]
    each_time: tuple[Node, ...]
    tracked: tuple[str, ...]
    """Files of DVC such as data.dvc."""


def plan_sweep(root: Path, file: LocatedFile) -> Plan:
    """Raises ParameterError with the file's line: an unknown parameter, a value that params.yaml refuses, a metric that
    no stage writes, a parameter on which it does not depend."""
    nodes, tracked = _read_nodes(root)
    _check_values(root, file)
    target = _objective_stage(root, file, nodes)
    before = _with_needs(target, nodes)
    swept = list(file.spec.parameters)
    for name in swept:
        if not any(node.uses(name) for node in before):
            told = f"no stage up to {target.name} reads it, so it cannot change {file.spec.objective.file}"
            raise file.refused(["parameters", name], told)
    reached: set[str] = set()
    for node in before:
        if any(map(node.uses, swept)) or reached.intersection(node.needs):
            reached.add(node.name)
    return Plan(
        tuple(node for node in before if node.name not in reached),
        tuple(node for node in before if node.name in reached),
        tracked,
    )


def current_values(root: Path, file: LocatedFile) -> dict[str, Any] | None:
    """The parameters as params.yaml has them; None where one of them is outside its range."""
    content = read_yaml(root / "params.yaml")
    values = {name: _at(content, name) for name in file.spec.parameters}
    return values if all(file.spec.parameters[name].holds(value) for name, value in values.items()) else None


def objective_of(metrics: Path, name: str) -> float:
    """Raises LianziError where the metrics file has no such number."""
    known = flatten(json.loads(metrics.read_text(encoding="utf-8")))
    value = known.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LianziError(f"{metrics.name} has no number {name!r:.100}", _nearest(name, known))
    return float(value)


def _check_values(root: Path, file: LocatedFile) -> None:
    """Each end of each range, and each choice, as params.yaml would take it."""
    for name, values in file.spec.parameters.items():
        for value in values.ends():
            try:
                what_if(root / "params.yaml", (f"{name}={json.dumps(value)}",))
            except LianziError as error:
                told, _, hint = str(error).partition("\n")
                told = told.removeprefix("--set ").removeprefix("--set: ").removeprefix(f"{name}: ")
                raise file.refused(["parameters", name], told, hint) from None


def _objective_stage(root: Path, file: LocatedFile, nodes: Mapping[str, Node]) -> Node:
    objective = file.spec.objective
    writers = {path: node for node in nodes.values() for path in node.metrics}
    if objective.file not in writers:
        told = f"no stage writes the metrics file {objective.file!r:.100}"
        close = closest(objective.file, writers)
        raise file.refused(["objective", "file"], told, f"did you mean {close}?" if close else "`dvc stage list`")
    there = root / objective.file
    if there.is_file():
        try:
            objective_of(there, objective.metric)
        except LianziError as error:
            raise file.refused(["objective", "metric"], str(error).partition("\n")[0], error.hint) from None
    return writers[objective.file]


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = closest(name, known)
    return f"did you mean {close}?" if close else f"it has {', '.join(list(known)[:12])}"


def _with_needs(target: Node, nodes: Mapping[str, Node]) -> list[Node]:
    """The stage behind all that it needs; `nodes` are in order."""
    wanted = {target.name}
    for node in reversed(list(nodes.values())):
        if node.name in wanted:
            wanted.update(node.needs)
    return [node for node in nodes.values() if node.name in wanted]


def _read_nodes(root: Path) -> tuple[dict[str, Node], tuple[str, ...]]:
    """The stages in order, and the tracked files."""
    import networkx
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        graph = repo.index.graph
        names = {stage: str(stage.addressing) for stage in graph.nodes}
        order = networkx.lexicographical_topological_sort(graph.reverse(copy=True), key=names.__getitem__)
        stages = list(order)
        tracked = {names[stage] for stage in stages if getattr(stage, "cmd", None) is None}
        made = {out.def_path for stage in stages for out in stage.outs}
        nodes = [_node(stage, graph, names, tracked, made) for stage in stages if names[stage] not in tracked]
    return {node.name: node for node in nodes}, tuple(sorted(tracked))


def _node(stage: Any, graph: Any, names: Mapping[Any, str], tracked: set[str], made: set[str]) -> Node:
    return Node(
        names[stage],
        tuple(sorted(names[need] for need in graph.successors(stage) if names[need] not in tracked)),
        tuple(
            name
            for dep in stage.deps
            if hasattr(dep, "params") and dep.def_path == "params.yaml"
            for name in dep.params
        ),
        tuple(dep.def_path for dep in stage.deps if not hasattr(dep, "params") and dep.def_path not in made),
        tuple(out.def_path for out in stage.outs if not out.use_cache and out.def_path.endswith(".json")),
        tuple(out.def_path for out in stage.outs if not out.use_cache),
    )


def _inside(name: str, other: str) -> bool:
    return name == other or name.startswith(f"{other}.")


def _at(content: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
