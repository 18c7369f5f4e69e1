"""Answering with a bundle. Needs numpy, tokenizers and onnxruntime: no torch, no transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.artifacts import digest, verify
from components.deployment.encoding import Encoder
from components.errors import ArtifactError, DataError, EngineError
from components.inference.engine_store import engine_file
from components.inference.engines import ENGINES, OnnxRuntime, Profile, Session

if TYPE_CHECKING:
    from pandas import DataFrame


SPEED_FILE = "speed.json"
"""Beside a released bundle's manifest, in no hash list: what was measured of its rungs, and which is shipped."""


@dataclass(frozen=True)
class Prediction:
    """The most likely label, its probability, and the probability of every label."""

    label: str
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Classifier:
    """A loaded bundle; `max_batch` texts at most go through the model at once."""

    task: str
    rung: str
    labels: tuple[str, ...]
    max_batch: int
    encoder: Encoder
    session: Session

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text, in order. Raises DataError for what is not text."""
        return [self._prediction(row) for row in softmax(self.logits(check_texts(texts))).tolist()]

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Float32 (texts, labels)."""
        found = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        if texts:
            for places, (ids, mask) in self.encoder.batches(texts, self.max_batch):
                found[places] = self.session.infer(ids, mask)
        return found

    def _prediction(self, row: list[float]) -> Prediction:
        best = max(row)
        return Prediction(self.labels[row.index(best)], best, dict(zip(self.labels, row, strict=True)))


def load_bundle(path: Path, rung: str | None = None, threads: int = 1) -> Classifier:
    """Load a bundle's shipped graph, the rung named, or an engine for it, after checking every file's hash.

    An engine is built first where this machine has none yet. Raises ArtifactError, EngineError.
    """
    manifest = verify(path, "bundle")
    chosen = rung or shipped_rung(path, manifest)
    return Classifier(
        task=manifest["task"],
        rung=chosen,
        labels=tuple(manifest["labels"]),
        max_batch=manifest["max_batch"],
        encoder=Encoder.load(path / "tokenizer.json", manifest["max_length"], manifest["pad_id"]),
        session=_session(path, manifest, chosen, threads),
    )


def shipped_rung(path: Path, manifest: dict[str, Any]) -> str:
    """The rung that a measurement of this very bundle chose; without one, the candidate that its maker named."""
    try:
        measured = json.loads((path / SPEED_FILE).read_text(encoding="utf-8"))
        if measured["bundle"] == digest(path) and measured["shipped"] in manifest["rungs"]:
            return str(measured["shipped"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    # Bundles released by earlier versions call their candidate "shipped".
    return str(manifest["candidate"] if "candidate" in manifest else manifest["shipped"])


def _session(path: Path, manifest: dict[str, Any], rung: str, threads: int) -> Session:
    if rung in manifest["rungs"]:
        return OnnxRuntime(threads).load(path / manifest["rungs"][rung])
    if rung not in manifest["engines"]:
        known = ", ".join([*manifest["rungs"], *manifest["engines"]])
        raise ArtifactError(f"{path}: no rung '{rung}'", f"it has {known}")
    engine = ENGINES[rung]
    reason = engine.available()
    if reason:
        raise EngineError(f"{rung}: {reason}")
    profile = Profile(manifest["max_batch"], manifest["max_length"])
    return engine.load(engine_file(engine, path / manifest["rungs"][manifest["engines"][rung]["rung"]], profile))


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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


class PyfuncModel:
    """A bundle behind the interface of MLflow's python function models."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> DataFrame:
        """A frame with columns `label` and `score` for a frame with a column `text`, or for a list of texts."""
        from pandas import DataFrame

        predictions = self.classifier.predict(_column(model_input))
        return DataFrame({"label": [one.label for one in predictions], "score": [one.score for one in predictions]})


def _load_pyfunc(path: str) -> PyfuncModel:
    """What MLflow calls on the module named as `loader_module`; `path` is the bundle's folder."""
    return PyfuncModel(load_bundle(Path(path)))


def _column(model_input: Any) -> Sequence[str]:
    columns = getattr(model_input, "columns", None)
    if columns is None:
        return model_input
    if "text" not in columns:
        raise DataError(f"no column 'text' among {', '.join(map(str, columns)) or 'none'}")
    return model_input["text"].tolist()
