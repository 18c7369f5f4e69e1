"""Batches: whether answers depend on the rows that were answered with them.

They should not (EleutherAI/lm-evaluation-harness#1645). Sums in another order move the last digits of a float model. Of
an int8 model whose activations are quantized at run time, the range is that of the whole batch, so that its neighbours
can change a row's answer. Whatever it is, a report says by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.analysis.subject import Analysis, Subject
from components.modeling.kinds import GENERATES

if TYPE_CHECKING:
    from components.analysis.config import BatchesConfig

SIZES = (1, 8)
"""Rows at a time, beside all of them, which go through the model as many together as the bundle takes."""
SEEN = 1e-6
"""The least difference of a probability that is told."""
FEW = 32
"""Rows at most of a model that writes: each costs a pass for every token, in each of three ways."""


def analyze(config: BatchesConfig, subject: Subject) -> Analysis:
    """Of the first test rows, answered one by one, eight at a time and all together."""
    rows = min(config.rows, FEW) if subject.task.head in GENERATES else config.rows
    texts = subject.test.texts[:rows]
    together = subject.answer(texts)
    changed = {size: changed_share(subject, texts, together, size) for size in SIZES}
    metrics: dict[str, Any] = {"rows": len(texts)}
    metrics |= {f"changed_by_{size}": round(share, 6) for size, share in changed.items()}
    apart = None
    if subject.probability is not None:
        apart = largest_difference(subject.probability, texts)
        metrics["largest_difference"] = round(apart, 6)
    return Analysis(metrics, (_sentence(len(texts), changed, apart),))


def changed_share(subject: Subject, texts: Sequence[Any], together: np.ndarray, size: int) -> float:
    """The share of texts whose answer is another one, `size` at a time, than all together."""
    same = [
        subject.task.same(_like(together[start : start + size], answers), answers)
        for start, answers in _batches(subject.answer, texts, size)
    ]
    return 1 - float(np.concatenate(same).mean())


def largest_difference(probability: Callable[[Sequence[Any]], np.ndarray], texts: Sequence[Any]) -> float:
    """Of any label's probability, between any of the ways."""
    together = probability(texts)
    return max(
        float(np.abs(found - together[start : start + size]).max())
        for size in SIZES
        for start, found in _batches(probability, texts, size)
    )


def _batches(
    ask: Callable[[Sequence[Any]], np.ndarray], texts: Sequence[Any], size: int
) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(texts), size):
        yield start, ask(texts[start : start + size])


def _like(answers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Answers about tokens [rows, tokens, …] padded no further than the others: the longest row may be elsewhere.
    Kinds that answer with words or texts compare them as they are."""
    return answers[:, : others.shape[1]] if answers.ndim == 3 else answers


def _sentence(rows: int, changed: Mapping[int, float], apart: float | None) -> str:
    told = ""
    if apart is not None:
        told = f"; a probability differs by {apart:.2g} at most" if apart >= SEEN else "; nor do the probabilities"
    if not any(changed.values()):
        return f"answers do not depend on the batch: {rows:,} rows one by one, by 8 and all together{told}"
    shares = ", ".join(f"{share:.1%} of them by {size}" for size, share in changed.items())
    return f"answers depend on the batch: of {rows:,} rows, {shares} are answered otherwise than all together{told}"
