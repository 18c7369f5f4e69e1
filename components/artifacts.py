"""Artifact folders: written whole or not at all, each with a manifest of what it is and what it was made from.

manifest.json: {"kind", "schema", "made_from": {name: digest}, "files": {name: sha256}, **details}.
The digest of an artifact is the SHA-256 of its manifest, so lineage is the chain of manifests. A manifest tells that
chain too, so that a copy elsewhere still says what it came from: `lineage`, {digest: {"kind", "made_from"}} of what is
above it, and `licences`, {source: licence}, with `notices`, texts that must go along, of the data that went into it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.errors import ArtifactError

MANIFEST = "manifest.json"
SCHEMA = 1


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A folder to write into, renamed to `target` when the block ends well and removed when it does not."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_manifest(folder: Path, kind: str, made_from: Mapping[str, Path], **details: Any) -> None:
    """Write manifest.json for the files now in `folder`; `made_from` names the input files or folders.

    `licences` and `notices` among the details are added to those of the inputs.
    """
    manifest = {
        "kind": kind,
        "schema": SCHEMA,
        "made_from": {name: digest(path) for name, path in sorted(made_from.items())},
        "files": {name: file_hash(folder / name) for name in _file_names(folder)},
        **details,
        **inherited(made_from, details.get("licences", {}), details.get("notices", ())),
    }
    write_json(folder / MANIFEST, manifest)


def inherited(
    made_from: Mapping[str, Path], licences: Mapping[str, str] = MappingProxyType({}), notices: Iterable[str] = ()
) -> dict[str, Any]:
    """Lineage, licences and notices of what is made from these inputs, where that adds its own."""
    lineage: dict[str, Any] = {}
    licences, texts = dict(licences), set(notices)
    for name, path in made_from.items():
        if not (path / MANIFEST).is_file():
            continue
        above = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        lineage |= above.get("lineage", {})
        lineage[digest(path)] = {"kind": above.get("kind"), "made_from": above.get("made_from", {})}
        # Tasks that only took documents out of a corpus, or were only looked at, went into nothing.
        if not name.startswith("task_"):
            licences |= above.get("licences", {})
            texts |= {*above.get("notices", ())}
    return {"lineage": lineage, "licences": licences, "notices": sorted(texts)}


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of an artifact, checked for its kind. Raises ArtifactError."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{folder}: no {kind} here", "run `dvc repro` or `lianzi run` to make it") from None
    except ValueError:
        raise ArtifactError(f"{path}: damaged", "run `dvc checkout` to restore it") from None
    if manifest.get("kind") != kind or manifest.get("schema") != SCHEMA:
        raise ArtifactError(
            f"{folder}: a {manifest.get('kind')} of schema {manifest.get('schema')}, not a {kind} of schema {SCHEMA}"
        )
    return manifest


def verify(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of an artifact, every file checked against its hash. ArtifactError names the first that differs."""
    manifest = read_manifest(folder, kind)
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path}: missing", "run `dvc checkout` to restore it")
        if file_hash(path) != expected:
            raise ArtifactError(f"{path}: changed since it was made", "run `dvc checkout` to restore it")
    return manifest


def digest(path: Path) -> str:
    """What an input is known by: a manifest's hash, a file's hash, or the hash over a folder's file hashes."""
    if path.is_file():
        return file_hash(path)
    if (path / MANIFEST).is_file():
        return file_hash(path / MANIFEST)
    if not path.is_dir():
        raise ArtifactError(f"{path}: missing", "run `dvc pull` or `dvc repro`")
    listing = "\n".join(f"{name} {file_hash(path / name)}" for name in _file_names(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _file_names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST
    )
