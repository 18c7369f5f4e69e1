"""Under which licences the data stand, for the manifests: whoever passes a model on has to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from components.params import SourceConfig

UNKNOWN = "unknown"
SOURCES = "SOURCES.md"
"""A file of data/ that says where the data are from and under which licence, with what must go along with copies."""


def source_licences(found: Iterable[str], sources: Mapping[str, SourceConfig]) -> dict[str, str]:
    """The licence of each source that documents were found of, as params.yaml has it."""
    return {name: sources[name].licence if name in sources else UNKNOWN for name in sorted(found)}


def notices(data: Path) -> list[str]:
    """The text of data/SOURCES.md; nothing where there is none."""
    path = data / SOURCES
    return [path.read_text(encoding="utf-8")] if path.is_file() else []
