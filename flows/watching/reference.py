"""How a champion answers rows it has not learned from: what later requests are compared with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.artifacts import digest
from components.replacing import replace_json
from components.tasks.rows import read_split, read_task
from components.tasks.task import parts
from components.validation.shift import length_bin, score_bin, score_bins

MOST = 2000
"""Validation rows that are answered."""
MOST_ANSWERS = 50
"""Different answers beyond which they are no labels, and have no distribution to move."""


@dataclass(frozen=True)
class Reference:
    """Counts by dimension and bin of the champion's answers; borders: of the bins of its scores."""

    bundle: str
    counts: dict[str, dict[str, int]]
    borders: list[float]


@dataclass(frozen=True)
class Answered:
    """A text and its answer, as the server logs them."""

    text: str
    answer: str
    score: float | None


def reference_of(root: Path, task: str, bundle: Path, cache: Path) -> Reference:
    """Answer the task's validation rows with the bundle, or read what it answered before. Raises ArtifactError."""
    own = f"{digest(bundle)} {digest(root / 'artifacts' / 'tasks' / task)}"
    try:
        known = Reference(**json.loads(cache.read_text(encoding="utf-8")))
        if known.bundle == own:
            return known
    except (OSError, ValueError, TypeError):
        pass
    rows = _answered(root, task, bundle)
    scores = [row.score for row in rows if row.score is not None]
    borders = score_bins(scores) if scores else []
    found = Reference(own, counts(rows, borders, labels=True), borders)
    if len(found.counts.get("answer", {})) > MOST_ANSWERS:
        del found.counts["answer"]
    replace_json(cache, asdict(found))
    return found


def counts(rows: Sequence[Answered], borders: Sequence[float], labels: bool) -> dict[str, dict[str, int]]:
    """Dimension -> bin -> rows: length in characters, answer, and confidence where the model gives scores."""
    found = {"length": Counter(length_bin(row.text) for row in rows)}
    if labels:
        found["answer"] = Counter(row.answer for row in rows)
    if borders:
        found["confidence"] = Counter(score_bin(row.score, borders) for row in rows if row.score is not None)
    return {name: dict(sorted(one.items())) for name, one in found.items() if one}


def _answered(root: Path, name: str, bundle: Path) -> list[Answered]:
    """What generates is asked nothing: its texts are all different."""
    from components.corpus.personal_data import KINDS, scrubbed
    from components.modeling.kinds import GENERATES

    folder = root / "artifacts" / "tasks" / name
    task = read_task(folder)
    rows = read_split(folder / "validation.jsonl", task)[:MOST]
    given = [task.text(row) for row in rows]
    texts = [scrubbed("\n".join(parts(text)), KINDS)[0] for text in given]
    if task.head in GENERATES:
        return [Answered(text, text, None) for text in texts]
    return [Answered(text, *answer) for text, answer in zip(texts, answers_of(bundle, given), strict=True)]


def answers_of(bundle: Path, texts: Sequence[Any]) -> list[tuple[str, float | None]]:
    """A bundle's answers and their scores, as a server logs them. Raises ArtifactError."""
    from components.runtime.bundle import load_bundle

    model = load_bundle(bundle)
    return [model.form.logged(answer) for answer in model.predict(list(texts))]
