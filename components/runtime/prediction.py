"""Texts through a graph: every output of theirs, in the order of the texts, whichever engine computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.inference.sessions import Infer
from components.runtime.encoding import Encoder
from components.tasks.task import Task, Text, Window, gathered, sequences_of

BATCH = 32
"""Texts a run, where a bundle's `max_batch` does not say otherwise. Sums over a row do not depend on it."""


def infer_texts(infer: Infer, encoder: Encoder, texts: Sequence[Text], batch: int = BATCH) -> dict[str, np.ndarray]:
    """Every output of the graph by its name, (texts, ...), of at least one text; texts of like length go together.

    For outputs that have the same shape for every text: `task_outputs` takes those that say something of each token.
    """
    found: dict[str, np.ndarray] = {}
    for places, feeds in encoder.batches(texts, batch):
        for name, values in infer(feeds).items():
            if name not in found:
                found[name] = np.empty((len(texts), *values.shape[1:]), dtype=values.dtype)
            found[name][places] = values
    return found


def task_outputs(
    task: Task,
    infer: Infer,
    encoder: Encoder,
    texts: Sequence[Text],
    batch: int = BATCH,
    index: np.ndarray | None = None,
) -> np.ndarray:
    """What a task's answers to some texts, at least one, need of its output, (texts, ...): `task.decode` takes it.

    `index`: the vectors of the task's passages, which are computed where it is not given.
    """
    if task.output.embeds:
        vectors = infer_texts(infer, encoder, texts, batch)[task.output.name]
        return vectors @ (passage_vectors(task, infer, encoder, batch) if index is None else index).T
    if task.output.per_choice:
        found = infer_texts(infer, encoder, sequences_of(task, texts), batch)[task.output.name]
        return gathered(found, [len(task.sequences(text)) for text in texts])
    if not task.output.per_token:
        return infer_texts(infer, encoder, texts, batch)[task.output.name]
    windows = windows_of(task, encoder, texts) if task.output.over_tokens else []
    encoded = [encoder.typed(one.ids, one.types) for row in windows for one in row] or encoder.encode(texts)
    rows: dict[int, np.ndarray] = {}
    for numbers, feeds in encoder.batched(encoded, batch):
        rows.update(zip(numbers.tolist(), infer(feeds)[task.output.name], strict=True))
    outputs = [rows[number] for number in range(len(encoded))]
    return of_windows(task, outputs, windows) if windows else task.reduced(outputs, places(task, encoder, texts))


def windows_of(task: Task, encoder: Encoder, texts: Sequence[Text]) -> list[list[Window]]:
    """What the model reads of each row, a window at a time."""
    return [task.windows(encoder.whole, text, encoder.max_length) for text in texts]


def of_windows(task: Task, outputs: Sequence[np.ndarray], windows: Sequence[Sequence[Window]]) -> np.ndarray:
    """What answers need of the outputs of all windows, (rows, ...)."""
    reduced = task.reduced(outputs, [one.places for row in windows for one in row])
    return task.merged(reduced, [len(row) for row in windows])


def passage_vectors(task: Task, infer: Infer, encoder: Encoder, batch: int = BATCH) -> np.ndarray:
    """Float32 (passages, width), each of length 1."""
    return infer_texts(infer, encoder, task.passages, batch)[task.output.name]


def places(task: Task, encoder: Encoder, texts: Sequence[Any]) -> list[Sequence[int]]:
    """Of each text the tokens that its words begin in."""
    return [task.places(text, offsets) for text, offsets in zip(texts, encoder.offsets(texts), strict=True)]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The probability of each logit by itself."""
    small = np.exp(-np.abs(logits))  # of the one sign that cannot overflow
    found: np.ndarray = np.where(logits >= 0, 1, small) / (1 + small)
    return found
