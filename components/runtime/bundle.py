"""Answering with a bundle. Needs numpy, tokenizers and onnxruntime: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import ArtifactError, DataError, EngineError, LianziError, first_line
from components.inference.engine_store import engine_file
from components.inference.engines import ENGINES, OnnxRuntime, Profile, Session
from components.inference.sessions import Arrays
from components.runtime.answers import Answer, AnswerForm, answer_form
from components.runtime.encoding import Encoder, reads_types
from components.runtime.index import read_index
from components.runtime.manifest import CLASSIFICATION, TOKENIZER, bundle_of, shipped_rung
from components.runtime.prediction import task_outputs, windows_of
from components.tasks.kinds import task_of
from components.tasks.task import Task, Text


@dataclass(frozen=True)
class Classifier:
    """A loaded bundle; `max_batch` texts at most go through the model at once. `index`: the vectors of the task's
    passages, where answers are found among them."""

    task: str
    rung: str
    kind: Task
    max_batch: int
    encoder: Encoder
    session: Session
    index: np.ndarray | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What the outputs are called, in order."""
        return self.kind.labels

    @property
    def form(self) -> AnswerForm:
        """The form of its answers."""
        return answer_form(self.kind)

    def predict(self, rows: Any) -> list[Answer]:
        """One answer a row, in order: a Prediction, of a regression an Estimate, of a tagger Entities, of retrieval
        FoundAnswers. A row is its text; of a task with several, a mapping with the columns that `texts` of its kind
        names, or the texts in that order. Raises DataError for what is not text."""
        checked = check_rows(rows, self.kind.texts, self.kind.output.per_choice)
        if not checked:
            return []
        if self.kind.spans:
            check_marked_texts(self.kind, checked)
        return list(self.form.answers(self.kind, checked, self.logits(checked)))

    def logits(self, texts: Sequence[Text]) -> np.ndarray:
        """Float32 (texts, labels), or (texts, words, labels) where each word is answered about; cosines (texts,
        passages) where answers are found."""
        if not texts:
            words = (0,) if self.kind.output.per_token else ()
            return np.empty((0, *words, len(self.kind.passages or self.labels)), dtype=np.float32)
        return task_outputs(self.kind, self.session.run, self.encoder, texts, self.max_batch, self.index)

    def encode(self, texts: Sequence[Text]) -> list[list[int]]:
        """The token ids that the model reads of each row, of one with choices or windows those of all of them."""
        if self.kind.output.over_tokens:
            windows = windows_of(self.kind, self.encoder, texts)
            return [[one for window in row for one in window.ids] for row in windows]
        if not self.kind.output.per_choice:
            return self.encoder.encode(texts)
        return [[one for ids in self.encoder.encode(self.kind.sequences(text)) for one in ids] for text in texts]

    def infer(self, feeds: Arrays) -> Arrays:
        """The graph's outputs for padded ids and their mask."""
        return self.session.run(feeds)


def check_marked_texts(kind: Task, texts: Sequence[Any]) -> None:
    """Raise DataError for a text without the markers of its spans, which any answer to would be about nothing."""
    for number, text in enumerate(texts):
        if why := kind.refusal(text):
            raise DataError(f"text {number}: {why}", "mark both spans: [E1] Accra [/E1] is in [E2] Ghana [/E2]")


def load_bundle(path: Path, rung: str | None = None, threads: int = 1) -> Classifier:
    """Load a bundle's shipped graph, the rung named, or an engine for it, after checking every file's hash.

    An engine is built first where this machine has none yet. Raises ArtifactError, EngineError.
    """
    manifest = bundle_of(path, CLASSIFICATION, rung)
    return open_classifier(path, manifest, rung or shipped_rung(path, manifest), threads)


def open_classifier(path: Path, manifest: dict[str, Any], rung: str, threads: int) -> Classifier:
    """The same of a folder that is known to be whole."""
    kind = _task(path, manifest)
    return Classifier(
        task=manifest["task"],
        rung=rung,
        kind=kind,
        max_batch=manifest["max_batch"],
        encoder=_encoder(path, manifest),
        session=_session(path, manifest, rung, threads),
        index=_index(path, manifest, rung, kind),
    )


def _index(path: Path, manifest: dict[str, Any], rung: str, kind: Task) -> np.ndarray | None:
    """An engine computes what the rung that it was built from does, and has its index."""
    if not kind.output.embeds:
        return None
    return read_index(path, manifest, rung if rung in manifest["rungs"] else manifest["engines"][rung]["rung"], kind)


def _task(path: Path, manifest: dict[str, Any]) -> Task:
    """The task that a manifest describes, which may come from anywhere. Raises ArtifactError."""
    try:
        return task_of(manifest)
    except (LianziError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: its manifest describes no task: {first_line(error)}") from None


def _encoder(path: Path, manifest: dict[str, Any]) -> Encoder:
    encoder = Encoder.load(path / TOKENIZER, manifest["max_length"], manifest["pad_id"], reads_types(manifest))
    if manifest["pad_id"] >= (size := encoder.tokenizer.get_vocab_size()):
        raise ArtifactError(f"{path}: pads with {manifest['pad_id']}, its tokenizer ends at {size - 1}")
    return encoder


def _session(path: Path, manifest: dict[str, Any], rung: str, threads: int) -> Session:
    if rung in manifest["rungs"]:
        graph = path / manifest["rungs"][rung]["model"]
        session = OnnxRuntime(threads).load(graph)
        _check_answer(graph, session, _task(path, manifest), _encoder(path, manifest))
        return session
    if rung not in ENGINES:
        raise ArtifactError(f"{path}: '{rung}' is no engine known here", f"known: {', '.join(ENGINES)}")
    engine = ENGINES[rung]
    reason = engine.available()
    if reason:
        raise EngineError(f"{rung}: {reason}")
    profile = Profile(manifest["max_batch"], manifest["max_length"])
    return engine.load(
        engine_file(engine, path / manifest["rungs"][manifest["engines"][rung]["rung"]]["model"], profile)
    )


def _check_answer(graph: Path, session: Session, task: Task, encoder: Encoder) -> None:
    """One row of one token. Raises ArtifactError where the graph does not answer with a logit a label."""
    labels = len(task.labels)
    found = session.run(encoder.pad([[1]])).get(task.output.name)
    if found is not None and task.output.embeds and found.ndim == 2 and len(found) == 1:
        return
    if found is None or found.shape != ((1, 1, labels) if task.output.per_token else (1, labels)):
        told = f"no {task.output.name}" if found is None else f"{task.output.name} of shape {found.shape}"
        raise ArtifactError(f"{graph}: gives {told}, and the manifest has {labels} labels")


def check_rows(rows: Any, names: Sequence[str], choices: bool = False) -> list[Text]:
    """The rows as what a model reads of them: a text each, or a tuple of texts in the order of `names`, where `choices`
    are wanted with these behind the text. Raises DataError naming the first that is none, or that lacks one."""
    if len(names) == 1:
        return list(check_texts(rows))
    given = [rows] if isinstance(rows, str | Mapping) else list(rows)
    return [_checked_row(row, names, number, choices) for number, row in enumerate(given)]


def _checked_row(row: Any, names: Sequence[str], number: int, choices: bool) -> tuple[str, ...]:
    told = " and ".join(names)
    if isinstance(row, Mapping):
        if lacking := [name for name in names if name not in row]:
            raise DataError(f"row {number}: no '{lacking[0]}'", f"a row has {told}")
        row = [row[name] for name in names]
    if choices and isinstance(row, list | tuple):
        # The choices as a list, or one by one.
        row = [one for part in row for one in (part if isinstance(part, list | tuple) else [part])]
    few = len(names) + choices
    if not isinstance(row, list | tuple) or len(row) < few or (len(row) > few and not choices):
        raise DataError(f"row {number}: {row!r:.60} is not {told}", "give a mapping of these, or the texts in order")
    return tuple(check_texts(row))


def check_texts(texts: Any) -> list[str]:
    """The texts as a list of strings. Raises DataError naming the first that is none."""
    if isinstance(texts, str):
        return [texts]
    try:
        checked = list(texts)
    except TypeError:
        raise DataError(f"expected texts, found {type(texts).__name__}") from None
    for number, text in enumerate(checked):
        if not isinstance(text, str):
            raise DataError(f"text {number}: expected a string, found {type(text).__name__} {text!r:.60}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"text {number}: not valid Unicode (a lone surrogate)") from None
    return checked
