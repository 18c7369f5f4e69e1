"""Find the nodes that a name stands for: a row, an answer, a bundle or another artifact, a version, or a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.artifacts import digest, own_manifest
from components.errors import ArtifactError, ParameterError
from components.tracking.registered import run_record
from flows.lineage.collect import add_artifact, add_past, run_node
from flows.lineage.graph import Graph, Node

KNOWN = (
    "a row (SOURCE/NAME, TASK/SPLIT/NAME), an answer's x-request-id or x-lianzi-trace, TASK@VERSION, TASK@champion, "
    "an MLflow run's id, the folder of a bundle or artifact, or a digest"
)
_VERSION = re.compile(r"(?P<task>\w[\w.-]*)@(?P<version>\w+)")
_RUN = re.compile("[0-9a-f]{32}")
_DIGEST = re.compile("[0-9a-f]{12,64}")
_TRACE = re.compile(r"(?:^|;)model=(?P<model>[^;]+);version=(?P<version>[^;]+);bundle=(?P<bundle>[0-9a-f]{64})")


def find_start(root: Path, graph: Graph, named: str, logs: list[Path]) -> str | None:
    """The key of the node with a name, which is added where the graph lacks it; None where nothing has the name.

    Rows are not among them. Raises ParameterError, ArtifactError where the name says what it is of, and it is not.
    """
    finders: tuple[Callable[[], str | None], ...] = (
        lambda: _folder(root, graph, named),
        lambda: _version(graph, named),
        lambda: _trace(graph, named),
        lambda: _run(graph, named),
        lambda: _digest(graph, named),
        lambda: _answer(graph, named, logs),
    )
    return next((key for finder in finders if (key := finder()) is not None), None)


def _folder(root: Path, graph: Graph, named: str) -> str | None:
    folder = root / named
    if not folder.is_dir() or len(Path(named).parts) < 2:
        return None
    if (manifest := own_manifest(folder)) is None:
        return None
    key = digest(folder)
    if key not in graph.nodes or graph.nodes[key].time is None:
        graph.nodes.pop(key, None)
        add_artifact(graph, folder, manifest, named)
        add_past(graph, manifest)
    return key


def _version(graph: Graph, named: str) -> str | None:
    if not (found := _VERSION.fullmatch(named)):
        return None
    task, wanted = found["task"], found["version"]
    versions = {key: node for key, node in graph.nodes.items() if key.startswith(f"version:{task}@")}
    if (key := f"version:{task}@{wanted.removeprefix('v')}") in versions:
        return key
    by_alias = next((key for key, node in versions.items() if wanted in node.details["aliases"]), None)
    if by_alias is None:
        known = ", ".join(node.name for node in versions.values()) or f"no version of {task}"
        raise ParameterError(f"{named}: no such version or alias", f"registered: {known}")
    return by_alias


def _trace(graph: Graph, named: str) -> str | None:
    """The header x-lianzi-trace of an answer says itself which model gave it."""
    if not (found := _TRACE.search(named)):
        return None
    return _add_answer(graph, "answer", found["model"], found["version"], found["bundle"])


def _run(graph: Graph, named: str) -> str | None:
    if not _RUN.fullmatch(named):
        return None
    key = f"run:{named}"
    if key in graph.nodes:
        return key
    run = run_record(named)
    if run is None:
        return None
    graph.add(run_node(run))
    if run.parent and (above := run_record(run.parent)) is not None:
        graph.add(run_node(above))
        graph.add(run_node(run), {"pipeline run": f"run:{above.id}"})
    return key


def _digest(graph: Graph, named: str) -> str | None:
    if not _DIGEST.fullmatch(named):
        return None
    return next((key for key in graph.nodes if key.startswith(named)), None)


def _answer(graph: Graph, named: str, logs: list[Path]) -> str | None:
    """The last logged row of the request with this id, which never has the separator of a row's id."""
    if "/" in named:
        return None
    rows = list(_logged(named, logs))
    return _add_answer(graph, f"answer {named}", rows[-1]["model"], rows[-1]["version"], "", rows[-1]) if rows else None


def _logged(request: str, logs: list[Path]) -> Iterator[dict[str, str]]:
    needle = json.dumps(request)
    for path in logs:
        with suppress(OSError), path.open(encoding="utf-8") as lines:
            for line in lines:
                if needle in line:
                    with suppress(ValueError):
                        row = json.loads(line)
                        if row.get("request") == request:
                            yield row


def _add_answer(
    graph: Graph, name: str, model: str, version: str, bundle: str, row: dict[str, str] | None = None
) -> str:
    """An answer, made from the version, or the bundle, that gave it."""
    key = f"version:{model}@{version}"
    if key not in graph.nodes:
        start = bundle or version
        key = next((one for one, node in graph.nodes.items() if node.kind == "bundle" and one.startswith(start)), "")
    if not key:
        raise ArtifactError(
            f"{name}: given by {model} version {version}, which neither the registry nor artifacts/ has",
            "`git checkout` the commit that made it and `dvc checkout`",
        )
    names = ("time", "answer", "score")
    told: dict[str, Any] = {} if row is None else {name: row[name] for name in names if name in row}
    facts = [f"{name} {value}" for name, value in told.items() if value is not None]
    graph.add(Node(f"answer:{name}", "answer", name, tuple(facts), told), {"model": key})
    return f"answer:{name}"
