"""A project of a few artifacts, each made from the one before it, and a registered version of the bundle."""

from __future__ import annotations

import json
from pathlib import Path

from components.artifacts import digest, write_manifest
from components.registry import Registry
from flows.lineage.collect import collected
from flows.lineage.find import find_start
from flows.lineage.graph import Graph
from tests.small_store import copy_store

REQUEST = "7f3a"


def make_lineage(mlflow_store: Path, folder: Path) -> str:
    """Lay it out in `folder`, which is the working directory; returns the id of the run that registered v1."""
    copy_store(mlflow_store, folder)
    data = folder / "data" / "rows.jsonl"
    data.parent.mkdir()
    data.write_text('{"text": "the sea", "label": "blue"}\n')
    chain = (("tasks/colour", "task", {"rows": data}), ("colour/teacher", "classifier", {"rows": "tasks/colour"}))
    for name, kind, made_from in (*chain, ("colour/bundle", "bundle", {"model": "colour/teacher"})):
        out = folder / "artifacts" / name
        out.mkdir(parents=True)
        (out / "content").write_text(name)
        inputs = {role: folder / "artifacts" / path for role, path in made_from.items()}
        counts = {"counts": {"kept": {"test": 1, "train": 2}}} if kind == "task" else {}
        write_manifest(out, kind, inputs, **counts)
    return register(digest(folder / "artifacts" / "colour" / "bundle"))


def register(bundle: str) -> str:
    """A pipeline run with a commit and parameters, in it the run that registers version 1, the champion."""
    client = Registry().client
    [experiment] = client.search_experiments(filter_string="name = 'lianzi'")
    above = client.create_run(experiment.experiment_id, tags={"mlflow.source.git.commit": "c0ffee" * 6 + "0000"})
    client.log_param(above.info.run_id, "finetune.epochs", 3)
    run = client.create_run(experiment.experiment_id, tags={"mlflow.parentRunId": above.info.run_id})
    client.create_registered_model("colour")
    client.create_model_version("colour", "file:///nowhere", run.info.run_id, tags={"bundle": bundle, "rung": "int8"})
    client.set_registered_model_alias("colour", "champion", "1")
    return str(run.info.run_id)


def log_answer(path: Path, request: str = REQUEST, version: str = "1") -> None:
    """A line of the server's log of requests."""
    row = {"time": "2026-11-29T00:00:00+00:00", "request": request, "model": "colour", "version": version}
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as lines:
        lines.write(json.dumps(row | {"text": "sea", "answer": "blue", "score": 0.9}) + "\n")


def start_of(folder: Path, named: str) -> tuple[Graph, str]:
    """The whole graph, and the key of the node with a name."""
    graph = collected(folder)
    key = find_start(folder, graph, named, [folder / ".lianzi" / "requests.jsonl"])
    assert key is not None
    return graph, key


def names(graph: Graph, keys: set[str]) -> set[str]:
    """The names of some nodes."""
    return {graph.nodes[key].name for key in keys}
