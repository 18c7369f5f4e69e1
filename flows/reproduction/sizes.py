"""How far two contents of a file are apart, in a phrase."""

from __future__ import annotations

import csv
import difflib
import gzip
import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import zstandard

UNKNOWN = "another content; the recorded one is no longer in DVC's cache"
_TEXTS = (".jsonl", ".txt", ".md", ".yaml", ".html", ".tsv")
_ROWS = 20_000
"""Lines of two texts that are still matched with each other in their order."""


def size_of_difference(name: Path, before: bytes | None, now: bytes) -> str:
    """How far two contents of a file are apart."""
    if before is None:
        return UNKNOWN
    if before == now:
        return "other bytes, the same content"  # compressed anew
    try:
        if name.suffix in (".gz", ".zst"):
            return size_of_difference(name.with_suffix(""), _unpacked(name, before), _unpacked(name, now))
        if name.suffix == ".csv":
            return _rows(before.decode(), now.decode())
        if name.suffix == ".json":
            return _values(json.loads(before), json.loads(now)) or "other bytes, the same values"
        if name.suffix == ".safetensors":
            return _weights(before, now)
        if name.suffix in _TEXTS:
            return _lines(before.decode(), now.decode())
    except (OSError, EOFError, ValueError, csv.Error, zlib.error, zstandard.ZstdError):
        pass
    return f"{len(before):,} bytes recorded, {len(now):,} now" if len(before) != len(now) else _bytes(before, now)


def _unpacked(name: Path, content: bytes) -> bytes:
    if name.suffix == ".gz":
        return gzip.decompress(content)
    with zstandard.ZstdDecompressor().stream_reader(content) as stream:
        return stream.read()


def _rows(before: str, now: str) -> str:
    """Curves by their steps, other tables by their lines."""
    if not before.startswith("step,"):
        return _lines(before, now)
    return first_step(before, now) or "other bytes, the same rows"


def first_step(before: str, now: str) -> str:
    """The first row of a training's curves that differs: `step 40: loss 5.1234 recorded, 5.1236 now`; "" where none
    does."""
    old, new = (list(csv.DictReader(text.splitlines())) for text in (before, now))
    for one, other in zip(old, new, strict=False):
        if one != other:
            name = next(name for name in (*one, *other) if one.get(name) != other.get(name))
            return f"step {one.get('step', '?')}: {name} {one.get(name)} recorded, {other.get(name)} now"
    return "" if len(old) == len(new) else f"{len(old)} rows recorded, {len(new)} now"


def _values(before: Any, now: Any, place: str = "") -> str:
    """The first value of two JSON contents that differs, by its place."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            if told := _values(before.get(key), now.get(key), f"{place}.{key}".lstrip(".")):
                return told
        return ""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return next((told for at, pair in pairs if (told := _values(*pair, f"{place}[{at}]"))), "")
    return "" if before == now else f"{place or 'value'} {_short(before)} recorded, {_short(now)} now"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _weights(before: bytes, now: bytes) -> str:
    """The largest difference between two sets of tensors."""
    from safetensors.torch import load

    old, new = load(before), load(now)
    shapes = {name: tuple(one.shape) for name, one in old.items()}
    if shapes != {name: tuple(one.shape) for name, one in new.items()}:
        return "other tensors"
    apart = {name: float((one.double() - new[name].double()).abs().max()) for name, one in old.items() if one.numel()}
    differing = [name for name, far in apart.items() if far > 0]
    worst = max(apart, key=lambda name: apart[name])
    return f"{len(differing)} of {len(old)} tensors differ, by at most {apart[worst]:.3g} ({worst})"


def _lines(before: str, now: str) -> str:
    old, new = before.splitlines(), now.splitlines()
    if len(old) + len(new) > _ROWS:
        pairs = enumerate(zip(old, new, strict=False), 1)
        first = next((at for at, pair in pairs if pair[0] != pair[1]), min(len(old), len(new)) + 1)
        return _told((Counter(new) - Counter(old)).total(), (Counter(old) - Counter(new)).total(), first)
    added = removed = first = 0
    for tag, at, till, begin, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            first = first or begin + 1
            removed, added = removed + till - at, added + end - begin
    return _told(added, removed, first)


def _told(added: int, removed: int, first: int) -> str:
    return f"{added} lines added, {removed} removed, the first at line {first}"


def _bytes(before: bytes, now: bytes) -> str:
    at = next(place for place, pair in enumerate(zip(before, now, strict=True)) if pair[0] != pair[1])
    return f"byte {at:,} is the first that differs"
