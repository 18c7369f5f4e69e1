"""Artifact folders: written whole or not at all, each with a manifest of what it is and what it was made from.

manifest.json: {"kind", "schema", "made_from": {name: digest}, "files": {name: sha256}, **details}.
The digest of an artifact is the SHA-256 of its manifest, so lineage is the chain of manifests. A manifest tells that
chain too, so that a copy elsewhere still says what it came from: `lineage`, {digest: {"kind", "made_from"}} of what is
above it, and `licences`, {source: licence}, with `notices`, texts that must go along, of the data that went into it.

A manifest may come from anywhere. No name in it is a path before it was found to be a plain one, no file is read that
`files` does not list, and a folder is replaced only where its manifest accounts for everything in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.errors import ArtifactError, first_line

MANIFEST = "manifest.json"
SCHEMA = 1
NAME_BYTES = 128
"""Room for what is put around a name: the file systems of the time take 255."""

PLAIN_NAME = "letters, digits, `.`, `_` and `-`, the first a letter, digit or `_`"
RESTORE = "`dvc checkout` restores what DVC made; take anything else again from where it came"
_LARGEST = 1 << 28
"""Bytes of a manifest that is still read."""

_SHA256 = re.compile("[0-9a-f]{64}")
_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")

Former = Callable[[Path], str | None]
"""Why a folder may not be replaced, or None where it is whole and was written by us."""


def is_plain_name(name: object) -> bool:
    """Whether it may name a file, a folder, a model and a part of an address: PLAIN_NAME, letters of any script."""
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w.-]*", name)) and len(name.encode()) <= NAME_BYTES


def is_plain_path(path: object) -> bool:
    """Whether it names a file inside a folder, written in one way only: no `..`, no line break, nothing absolute."""
    if not isinstance(path, str) or not path.isprintable() or "\\" in path or len(path) > 1024:
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in path.split("/"))


def listed_file(folder: Path, files: Mapping[str, str], name: str) -> Path:
    """A file of an artifact by its name: listed, inside the folder, real. Raises ArtifactError."""
    if not is_plain_path(name):
        raise ArtifactError(f"{folder}: {name!r:.200} names no file in it", RESTORE)
    if name not in files:
        raise ArtifactError(f"{folder / name}: not listed in {MANIFEST}", RESTORE)
    return real_file(folder, name)


def real_file(folder: Path, name: str) -> Path:
    """A file that is reached by no link, except one that DVC made into its cache. Raises ArtifactError."""
    path = folder / name
    steps = [path, *(folder / part for part in Path(name).parents if part != Path())]
    link = next((step for step in steps if step.is_symlink()), None)
    if link is not None and not _DVC_CACHE.search(str(link.readlink())):
        raise ArtifactError(f"{link}: a link to elsewhere", "put the file itself there")
    if not path.is_file():
        raise ArtifactError(f"{path}: {'not a file' if path.exists() else 'missing'}", RESTORE)
    return path


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
        above = own_manifest(path)
        if above is None:
            continue
        lineage |= above.get("lineage", {})
        lineage[digest(path)] = {"kind": above["kind"], "made_from": above["made_from"]}
        # Tasks that only took documents out of a corpus, or were only looked at, went into nothing.
        if not name.startswith("task_"):
            licences |= above.get("licences", {})
            texts |= {*above.get("notices", ())}
    return {"lineage": lineage, "licences": licences, "notices": sorted(texts)}


def own_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an artifact of any kind; None where there is none, or one that others wrote for other ends."""
    try:
        manifest = read_json(folder / MANIFEST)
    except ArtifactError:
        return None
    whole = not _kind_fault(manifest) and manifest["schema"] == SCHEMA and not _content_fault(manifest)
    return manifest if whole else None


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of an artifact, checked for its kind and for what every kind has. Raises ArtifactError."""
    path = folder / MANIFEST
    if not path.exists():
        raise ArtifactError(f"{folder}: no {kind} here", "run `dvc repro` or `lianzi run` to make it")
    manifest = read_json(path)
    if fault := _kind_fault(manifest):
        raise ArtifactError(f"{path}: {fault}", RESTORE)
    if manifest["kind"] != kind or manifest["schema"] != SCHEMA:
        raise ArtifactError(
            f"{folder}: a {manifest['kind']} of schema {manifest['schema']}, not a {kind} of schema {SCHEMA}"
        )
    if fault := _content_fault(manifest):
        raise ArtifactError(f"{path}: {fault}", RESTORE)
    checked: dict[str, Any] = manifest
    return checked


def _kind_fault(manifest: Any) -> str | None:
    """Why it is no manifest of an artifact at all."""
    if not isinstance(manifest, dict):
        return "not an object"
    if not is_plain_name(manifest.get("kind")) or type(manifest.get("schema")) is not int:
        return "'kind' is a name and 'schema' a number in what was written here"
    return None


def _content_fault(manifest: dict[str, Any]) -> str | None:
    """What of the part that every kind has is not as it must be."""
    files, made_from = manifest.get("files"), manifest.get("made_from")
    if not isinstance(files, dict) or not all(map(is_plain_path, files)):
        return "'files' is to hold paths inside the folder"
    if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in files.values()):
        return "'files' is to hold a SHA-256 for each"
    return (
        _texts_fault("made_from", made_from)
        or _texts_fault("licences", manifest.get("licences", {}))
        or (None if _all_text(manifest.get("notices", [])) else "'notices' is to hold texts")
        or _lineage_fault(manifest.get("lineage", {}))
    )


def _texts_fault(name: str, found: Any) -> str | None:
    whole = isinstance(found, dict) and _all_text(list(found.values()))
    return None if whole else f"'{name}' is to hold a text for each name"


def _all_text(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def _lineage_fault(lineage: Any) -> str | None:
    """A link that leads back to itself is one too: who follows it would never come to an end."""
    if not isinstance(lineage, dict) or not all(isinstance(one, dict) for one in lineage.values()):
        return "'lineage' is to hold an object for each digest"
    for one in lineage.values():
        if not isinstance(one.get("kind"), str) or _texts_fault("made_from", one.get("made_from")):
            return "'lineage' is to hold 'kind' and 'made_from' for each digest"
    above = {name: set(one["made_from"].values()) & set(lineage) for name, one in lineage.items()}
    while above:
        ends = {name for name, rest in above.items() if not rest}
        if not ends:
            return "'lineage' leads back to itself"
        above = {name: rest - ends for name, rest in above.items() if name not in ends}
    return None


def verify(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of an artifact, every file checked against its hash. ArtifactError names the first that differs."""
    manifest = read_manifest(folder, kind)
    for name, expected in manifest["files"].items():
        path = real_file(folder, name)
        try:
            found = file_hash(path)
        except OSError as error:
            raise _unreadable(path, error) from None
        if found != expected:
            raise ArtifactError(f"{path}: changed since it was made", RESTORE)
    return manifest


def of_kind(kind: str, beside: Iterable[str] = ()) -> Former:
    """What says whether a folder is, whole, an artifact of this kind; `beside`: names that its manifest never lists."""
    known = {MANIFEST, *beside}

    def speaks_against(folder: Path) -> str | None:
        try:
            files = verify(folder, kind)["files"]
        except ArtifactError as error:
            return first_line(error)
        strange = next((name for name in every_file(folder) if name not in files and name not in known), None)
        return strange and f"{folder / strange}: not listed in {MANIFEST}"

    return speaks_against


def each_of_kind(kind: str) -> Former:
    """The same of a folder of such artifacts, which has no manifest of its own."""
    one = of_kind(kind)

    def speaks_against(folder: Path) -> str | None:
        for path in sorted(folder.iterdir()):
            if path.is_symlink() or not path.is_dir():
                return f"{path}: not a {kind}"
            if reason := one(path):
                return reason
        return None

    return speaks_against


def every_file(folder: Path) -> Iterator[str]:
    """Every file and every link, also one to a folder, and every folder with nothing in it, in the order of names."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
            yield path.relative_to(folder).as_posix()


def digest(path: Path) -> str:
    """What an input is known by: a manifest's hash, a file's hash, or the hash over a folder's file hashes."""
    if path.is_file():
        return file_hash(path)
    if own_manifest(path) is not None:
        return file_hash(path / MANIFEST)
    if not path.is_dir():
        raise ArtifactError(f"{path}: missing", "run `dvc pull` or `dvc repro`")
    listing = "\n".join(f"{name} {file_hash(path / name)}" for name in _file_names(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises ArtifactError where it cannot be read, is no JSON, or too large or too deep."""
    try:
        if path.stat().st_size > _LARGEST or not path.is_file():
            raise ArtifactError(f"{path}: not a file of at most {_LARGEST >> 20} MiB", RESTORE)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path}: damaged", RESTORE) from None


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"{path}: cannot be read: {error.strerror}", "check its owner and mode")


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _file_names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST
    )
