"""Collect the graph of a project: artifacts, registered versions, their runs, and the servers that answer now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST, digest, own_manifest
from components.serving.servers import live_servers
from components.tracking.registered import RegisteredVersion, RunRecord, registered_versions, run_record
from flows.lineage.graph import Graph, Node


def collected(root: Path) -> Graph:
    """The whole graph. Raises ServiceError where the tracking server does not answer."""
    graph = Graph()
    folders = [path.parent for path in sorted((root / "artifacts").rglob(MANIFEST))]
    manifests = {folder: manifest for folder in folders if (manifest := own_manifest(folder)) is not None}
    for folder, manifest in manifests.items():
        add_artifact(graph, folder, manifest, folder.relative_to(root).as_posix())
    versions = registered_versions()
    for version in versions:
        _add_version(graph, version)
    # After what is there: an input is only called past where no folder has it any more.
    for manifest in [*manifests.values(), *map(_manifest_of, versions)]:
        add_past(graph, manifest)
    for run_id in dict.fromkeys(version.run_id for version in versions):
        _add_run(graph, run_id, [version for version in versions if version.run_id == run_id])
    _add_servers(graph, root)
    for link in sorted(graph.links, key=lambda link: link.role):
        if link.source not in graph.nodes:
            graph.add(Node(link.source, "data", f"data: {link.role}", (f"sha256 {link.source[:12]}",)))
    return graph


def add_artifact(graph: Graph, folder: Path, manifest: Mapping[str, Any], name: str) -> None:
    """Add an artifact."""
    facts = [*_counted(manifest), f"{len(manifest['files'])} files", f"sha256 {digest(folder)[:12]}"]
    details = {"files": manifest["files"], "counts": manifest.get("counts", {}), "task": manifest.get("task", "")}
    own = Node(digest(folder), manifest["kind"], name, tuple(facts), details, (folder / MANIFEST).stat().st_mtime)
    graph.add(own, _inputs(manifest["made_from"]))


def add_past(graph: Graph, manifest: Mapping[str, Any]) -> None:
    """Add the inputs that only the manifest of a later artifact tells of."""
    for key, above in manifest.get("lineage", {}).items():
        facts = ("not in artifacts/", f"sha256 {key[:12]}")
        kind = above["kind"]
        graph.add(Node(key, kind, f"{_article(kind)} {kind}", facts), _inputs(above["made_from"]))


def _article(noun: str) -> str:
    return "an" if noun[:1] in "aeiou" else "a"


def _manifest_of(version: RegisteredVersion) -> dict[str, Any]:
    found = None if version.bundle is None else own_manifest(version.bundle)
    return found or {}


def _inputs(made_from: Mapping[str, str]) -> dict[str, str]:
    """Tasks that only took documents out of a corpus, or were only looked at, went into nothing."""
    return {role: key for role, key in made_from.items() if not role.startswith("task_")}


def _counted(manifest: Mapping[str, Any]) -> list[str]:
    kept = manifest.get("counts", {}).get("kept") or {
        split: one["documents"] for split, one in (manifest.get("splits") or {}).items() if "documents" in one
    }
    if not kept:
        return []
    return [f"{sum(kept.values()):,} rows (" + ", ".join(f"{split} {count:,}" for split, count in kept.items()) + ")"]


def _add_version(graph: Graph, version: RegisteredVersion) -> None:
    bundle = version.tags.get("bundle", "")
    if bundle and bundle not in graph.nodes and (manifest := _manifest_of(version)):
        facts = (f"{len(manifest['files'])} files", f"sha256 {bundle[:12]}")
        details = {"files": manifest["files"], "task": version.task}
        node = Node(bundle, "bundle", f"bundle of {version.name} in MLflow", facts, details, version.created)
        graph.add(node, _inputs(manifest["made_from"]))
    ships = [f"ships {version.tags['rung']}"] if "rung" in version.tags else []
    title = f"{version.name}" + (f" ({', '.join(version.aliases)})" if version.aliases else "")
    details = {"aliases": list(version.aliases), "tags": dict(version.tags), "run": version.run_id}
    node = Node(f"version:{version.name}", "version", title, (*version.aliases, *ships), details, version.created)
    graph.add(node, {"bundle": bundle} if bundle else {})


def _add_run(graph: Graph, run_id: str, versions: list[RegisteredVersion]) -> None:
    """The run that registered versions, and the pipeline run it belongs to."""
    run = run_record(run_id) if run_id else None
    if run is None:
        return
    above = run_record(run.parent) if run.parent else None
    for one in filter(None, (above, run)):
        graph.add(run_node(one))
    if above is not None:
        graph.add(run_node(run), {"pipeline run": f"run:{above.id}"})
    for version in versions:
        graph.add(graph.nodes[f"version:{version.name}"], {"run": f"run:{run.id}"})
        if (bundle := graph.nodes.get(version.tags.get("bundle", ""))) is not None:
            graph.add(bundle, {"pipeline run": f"run:{(above or run).id}"})


def run_node(run: RunRecord) -> Node:
    """A run of MLflow."""
    changed = ", with changes" if run.tags.get("git.dirty") == "true" else ""
    facts = [f"commit {run.commit[:8]}{changed}"] if run.commit else []
    facts += [f"{len(run.params)} parameters"] if run.params else []
    details = {"commit": run.commit, "dirty": bool(changed), "params": dict(run.params), "status": run.status}
    return Node(f"run:{run.id}", "run", f"run {run.id[:8]} {run.name}", tuple(facts), details)


def _add_servers(graph: Graph, root: Path) -> None:
    for server in live_servers(root):
        serves = {name: _served(graph, name, one) for name, one in server.models.items()}
        known = {name: key for name, key in serves.items() if key}
        beside = {f"canary of {name}": _served(graph, name, one) for name, one in server.canaries.items()}
        known |= {name: key for name, key in beside.items() if key}
        facts = [f"process {server.pid}"]
        facts += [f"{server.share:.1%} to {name} v{one['version']}" for name, one in server.canaries.items()]
        details = {"models": server.models, "canaries": server.canaries, "share": server.share}
        graph.add(Node(f"server:{server.url}", "server", server.url, tuple(facts), details), known)


def _served(graph: Graph, name: str, served: Mapping[str, str]) -> str:
    """The version that a server answers with, by its number or its bundle; a bundle that no version has; or ""."""
    versions = [node for key, node in graph.nodes.items() if key.startswith(f"version:{name}@")]
    for node in versions:
        if node.key == f"version:{name}@{served['version']}" or node.details["tags"].get("bundle") == served["digest"]:
            return node.key
    return served["digest"] if served["digest"] in graph.nodes else ""
