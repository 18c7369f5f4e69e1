"""What must go along with a bundle: NOTICE, the licences of its data and libraries, and lineage.json.

Every fact comes from the manifests of what the bundle is made from, and from the metadata of the installed packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from components.artifacts import digest, inherited, write_json

LIBRARIES = ("numpy", "onnxruntime", "tokenizers")
"""What a bundle cannot answer without."""

CLASSIFIER = "License :: OSI Approved :: "


def write_notices(folder: Path, made_from: Mapping[str, Path]) -> None:
    """Write NOTICE and lineage.json of an artifact made from these."""
    told = inherited(made_from)
    (folder / "NOTICE").write_text(notice(told), encoding="utf-8")
    write_json(
        folder / "lineage.json", chain({name: digest(path) for name, path in made_from.items()}, told["lineage"])
    )


def notice(told: Mapping[str, Any]) -> str:
    """Markdown, from what `components.artifacts.inherited` found."""
    sources = [f"- {name}: {licence}" for name, licence in sorted(told["licences"].items())]
    libraries = [f"- {name} {version}: {licence}" for name, version, licence in map(library, LIBRARIES)]
    return "\n".join(
        [
            "# Licences",
            "",
            "## Data and weights that the model learned from",
            "",
            *(sources or ["None is named in the manifests of what this was made from."]),
            "",
            "## Libraries that it needs",
            "",
            *libraries,
            "",
            *(["## What the project says of its data", ""] if told["notices"] else []),
            *(text.strip() + "\n" for text in told["notices"]),
        ]
    )


def library(name: str) -> tuple[str, str, str]:
    """Name, version and licence of an installed package, as it states them itself."""
    stated: Any = metadata(name)
    classifiers = [line.removeprefix(CLASSIFIER) for line in stated.get_all("Classifier") or [] if CLASSIFIER in line]
    licence = stated.get("License-Expression") or ", ".join(classifiers) or stated.get("License") or "unknown"
    return name, stated["Version"], licence


def chain(made_from: Mapping[str, str], lineage: Mapping[str, Any]) -> dict[str, Any]:
    """The ancestors as a tree: {name: {"digest", "kind", "made_from": …}}; of raw data a digest is all there is."""
    return {name: {"digest": one} | _above(lineage.get(one), lineage) for name, one in sorted(made_from.items())}


def _above(entry: Mapping[str, Any] | None, lineage: Mapping[str, Any]) -> dict[str, Any]:
    return {} if entry is None else {"kind": entry["kind"], "made_from": chain(entry["made_from"], lineage)}
