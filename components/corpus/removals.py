"""Rows that must not be used any more: removals.txt, one `ID<tab>FINGERPRINT` a line, `#` begins a remark.

A row is known by its id and by its text, so that neither another name nor another copy brings it back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from components.errors import DataError

_FINGERPRINT = re.compile("[0-9a-f]{32}")
HEADER = "# Rows taken out of every corpus and task: id, fingerprint of the text. Written by `lianzi forget`.\n"


@dataclass(frozen=True)
class Removals:
    """Ids and fingerprints (16 bytes of the normalised text's SHA-256) of removed rows."""

    ids: frozenset[str] = frozenset()
    fingerprints: frozenset[bytes] = frozenset()

    def has(self, row_id: str, fingerprint: bytes) -> bool:
        return row_id in self.ids or fingerprint in self.fingerprints


def read_removals(path: Path) -> Removals:
    """Raises DataError naming the line for what is no removal; a file that is not there removes nothing."""
    if not path.is_file():
        return Removals()
    ids: set[str] = set()
    fingerprints: set[bytes] = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        row_id, _, fingerprint = line.partition("\t")
        if not row_id.strip() or not _FINGERPRINT.fullmatch(fingerprint.strip() or "0" * 32):
            raise DataError(f"{path}:{number}: not `ID<tab>FINGERPRINT`", "let `lianzi forget` write this file")
        ids.add(row_id.strip())
        if fingerprint.strip():
            fingerprints.add(bytes.fromhex(fingerprint.strip()))
    return Removals(frozenset(ids), frozenset(fingerprints))


def add_removals(path: Path, rows: dict[str, bytes]) -> None:
    """Append rows (id -> fingerprint) that are not in the list yet."""
    known = read_removals(path).ids
    before = path.read_text(encoding="utf-8") if path.is_file() else HEADER
    lines = [f"{row_id}\t{fingerprint.hex()}\n" for row_id, fingerprint in sorted(rows.items()) if row_id not in known]
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(before + "".join(lines), encoding="utf-8")
    partial.rename(path)
