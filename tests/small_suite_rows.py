"""The rows that small copies of benchmark suites are made of, and the forms of their files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.small_artifacts import sentences

COUNTS = {"train": 36, "validation": 12, "test": 12}
SEEDS = {"train": 11, "validation": 12, "test": 13}
Cells = Sequence[object]


def rows(split: str) -> list[tuple[int, str, str, str]]:
    """Number, a text, another text, and what most words of the first belong to."""
    texts = sentences(COUNTS[split], SEEDS[split])
    others = sentences(COUNTS[split], SEEDS[split] + 100)
    return [
        (n, f"The {one[0]}.", f"A {two[0]}.", one[1]) for n, (one, two) in enumerate(zip(texts, others, strict=True))
    ]


def tsv(path: Path, lines: Iterable[Cells], header: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [*([header] if header else []), *("\t".join(map(str, cells)) for cells in lines)]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def jsonl(path: Path, lines: Iterable[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def sea(place: str) -> int:
    return int(place == "sea")


def nli(number: int, place: str) -> str:
    return {"sea": "entailment", "field": "neutral", "city": "contradiction"}[place]
