"""An opened source of documents: its description, and its rows one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from components.artifacts import NAME_BYTES
from components.corpus.record import Record

Columns = Sequence[str] | None
"""The columns to read, the text's first; None for all of them."""
_SECRET = re.compile("token|secret|key|sig|pass|pwd|credential|auth|session", re.IGNORECASE)
_LONG = 24
"""The length from which a value in an address's query counts as a secret, whatever its name."""


@dataclass(frozen=True)
class Source:
    """An opened source. `address` has no secrets in it; a record's file is where in the source it stands.

    parts: whether the source has several parts, so that a record's file belongs to its provenance. about: what else
    there is to know (a query, a revision). passed_over: files that hold no documents, by reason, filled while reading.
    """

    kind: str
    address: str
    name: str
    records: Iterator[Record]
    parts: bool = False
    about: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, list[str]] = field(default_factory=dict)

    def provenance(self, record: Record) -> str:
        """The provenance of a record, with its line."""
        base = f"{self.address.rstrip('/')}/{record.file.as_posix()}" if self.parts else self.address
        return f"{base}:{record.line}"


def without_secrets(address: str) -> str:
    """An address without user, password, fragment, and query values that may be tokens."""
    return "::".join(_without_secrets(part) for part in address.split("::"))


def _without_secrets(address: str) -> str:
    bare = re.sub(r"(?<=://)[^/?#]*@", "", address)
    if "://" not in bare:
        return bare
    scheme, place, path, query, _ = urlsplit(bare)
    open_to_all = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if not _SECRET.search(name) and len(value) < _LONG
    ]
    return f"{scheme}://{place}{path}" + (f"?{urlencode(open_to_all)}" if open_to_all else "")


def source_name(text: str) -> str:
    """A name for a source, from an address or file name: letters of any script, digits, `_` and `-`; a long one cut."""
    name = re.sub(r"[^\w-]+", "_", text).strip("_-").encode()[:NAME_BYTES].decode(errors="ignore")
    return name.rstrip("_-") or "imported"
