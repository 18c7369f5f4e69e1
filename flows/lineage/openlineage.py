"""A lineage as OpenLineage run events (spec 2-0-2), one JSON object a line: what Marquez, DataHub and others take.

A START and a COMPLETE event for each artifact and version that was made here: its inputs and output are datasets, whose
version is the digest of their content. When work began is not kept, so both have the time of its end. Written without
the client library, which would bring dependencies for a few fields.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.errors import ParameterError
from flows.lineage.graph import Graph, Node

SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = f"urn:lianzi:{version('lianzi')}"
NAMESPACE = "lianzi"
_JOBS = ("run", "server", "answer", "row")
"""Kinds that are no data set."""


def write_events(path: Path, graph: Graph) -> int:
    """Write the events; returns how many. Raises ParameterError where nothing can be written."""
    events = lineage_events(graph)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"{path}: cannot be written: {error.strerror}") from None
    return len(events)


def lineage_events(graph: Graph) -> list[dict[str, Any]]:
    """The events of each node that was made from something, and whose time is known."""
    inputs: dict[str, list[Node]] = {}
    for link in sorted(graph.links, key=lambda link: link.source):
        inputs.setdefault(link.target, []).append(graph.nodes[link.source])
    made = [node for node in graph.ordered() if node.key in inputs and node.kind not in _JOBS and node.time is not None]
    return [event for node in made for event in _events(node, inputs[node.key])]


def _events(node: Node, made_from: list[Node]) -> list[dict[str, Any]]:
    data = list({one.key: one for one in made_from if one.kind not in _JOBS}.values())
    facets: dict[str, Any] = {
        "processing_engine": _facet("1-1-1/ProcessingEngineRunFacet", version=version("lianzi"), name="lianzi")
    }
    if commit := next((one.details["commit"] for one in made_from if one.kind == "run"), ""):
        # No facet of the specification holds a commit without the address of its repository, which may have secrets.
        schema = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet"
        facets["lianzi_revision"] = {"_producer": PRODUCER, "_schemaURL": schema, "commit": commit}
    event = {
        "eventTime": datetime.fromtimestamp(node.time or 0, UTC).isoformat(timespec="milliseconds"),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": _run_id(node, made_from), "facets": facets},
        "job": {
            "namespace": NAMESPACE,
            "name": f"make {_dataset_name(node)}",
            "facets": {
                "jobType": _facet("2-0-3/JobTypeJobFacet", processingType="BATCH", integration="LIANZI", jobType="TASK")
            },
        },
        "inputs": [_dataset(one) for one in data],
    }
    outputs = [_dataset(node) | _output_facets(node)]
    return [{"eventType": "START", **event, "outputs": []}, {"eventType": "COMPLETE", **event, "outputs": outputs}]


def _run_id(node: Node, made_from: list[Node]) -> str:
    """A version's is the id of MLflow's run, which is a UUID; an artifact's follows from its content."""
    run = next((one.key.removeprefix("run:") for one in made_from if one.kind == "run"), "")
    return str(uuid.UUID(run) if node.kind == "version" and run else uuid.uuid5(uuid.NAMESPACE_OID, node.key))


def _dataset(node: Node) -> dict[str, Any]:
    own = node.details.get("tags", {}).get("bundle", node.key)
    facet = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=own)
    return {"namespace": NAMESPACE, "name": _dataset_name(node), "facets": {"version": facet}}


def _dataset_name(node: Node) -> str:
    return node.key.removeprefix("version:") if node.kind == "version" else node.name


def _output_facets(node: Node) -> dict[str, Any]:
    kept = node.details.get("counts", {}).get("kept", {})
    counts = {"rowCount": sum(kept.values())} if kept else {}
    if files := node.details.get("files"):
        counts["fileCount"] = len(files)
    facet = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", **counts)
    return {"outputFacets": {"outputStatistics": facet}} if counts else {}


def _facet(schema: str, **values: Any) -> dict[str, Any]:
    number, _, name = schema.partition("/")
    address = f"{SPEC}/facets/{number}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": address, **values}
