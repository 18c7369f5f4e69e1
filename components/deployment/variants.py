"""Which rungs a bundle of a model from elsewhere has: one that loses too much, or is not surely faster, is refused with
the reason. The forms differ in how a rung is run, and in what it is compared with: FORMS."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from components.deployment.answer_parity import AnswerReference, answer_parity
from components.deployment.generation.output_parity import Reference, output_parity
from components.deployment.sentence_embedding.parity import EmbeddingReference, embedding_parity
from components.deployment.speed_up import speed_up
from components.deployment.timing import WARM_UP, time_in_turn
from components.errors import ArtifactError, EngineError, first_line
from components.runtime.bundle import Classifier, open_classifier
from components.runtime.generation.embedder import Embedder, open_embedder
from components.runtime.generation.generator import Generator, Row, open_generator
from components.runtime.generation.sampling import Sampling
from components.runtime.manifest import CLASSIFICATION, EMBEDDING, GENERATION, form_of, megabytes

if TYPE_CHECKING:
    from components.deployment.config import GateConfig

Say = Callable[[str], None]
Times = dict[str, dict[str, np.ndarray]]
"""Batch -> rung -> milliseconds of each round on this machine."""

CONFIDENCE = 0.95
"""Of the interval that must lie above 1 for a rung to count as faster."""

ROUNDS = 48
PROMPT = 16
BATCHES = (1, 8)


class RungParity(Protocol):
    """What a rung differs by from the model's own library; as text, a line for whoever waits."""

    def metrics(self) -> dict[str, float | str]:
        """For the manifest."""

    def refusal(self, rung: str, limits: GateConfig) -> str | None:
        """Why the rung is not good enough, or None."""


@dataclass(frozen=True)
class Form:
    """open: (bundle, manifest, rung, threads) -> a rung; reference: (model in PyTorch, fp32 rung, texts) -> what rungs
    are compared with by `parity`; run: (rung, rows) -> one round of so many rows, to be timed."""

    open: Callable[[Path, dict[str, Any], str, int], Any]
    reference: Callable[[Any, Any, Sequence[str]], Any]
    parity: Callable[[Any, Any], RungParity]
    run: Callable[[Any, int], Callable[[int], object]]


def _step(generator: Generator, batch: int) -> Callable[[int], object]:
    """A token for each row."""
    prompt = [4] * max(1, min(PROMPT, generator.max_length - ROUNDS - WARM_UP - 1))
    sampling = Sampling(max_tokens=generator.max_length, temperature=0.0, top_p=1.0, seed=None, stop=())
    rows: list[Row] = []

    def step(number: int) -> None:
        if not rows or len(rows[0]) >= generator.max_length:
            rows[:] = [generator.start(prompt, sampling) for _ in range(batch)]
        for row, logits in zip(rows, generator.advance(rows), strict=True):
            row.tokens.append(int(logits.argmax()))

    return step


def _pass(rung: Embedder | Classifier, batch: int) -> Callable[[int], object]:
    """Rows of half the full length."""
    feeds = rung.encoder.pad([[4] * max(1, rung.encoder.max_length // 2)] * batch)
    return lambda number: rung.infer(feeds)


FORMS = {
    CLASSIFICATION: Form(open_classifier, AnswerReference, answer_parity, _pass),
    EMBEDDING: Form(open_embedder, EmbeddingReference, embedding_parity, _pass),
    GENERATION: Form(open_generator, Reference, output_parity, _step),
}


def select_variants(
    folder: Path,
    details: dict[str, Any],
    model: Any,
    texts: Sequence[str],
    limits: GateConfig,
    measure: bool,
    say: Say,
    unmade: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Compare every rung written in `folder` and take the refused ones out. The manifest's fields of it, and of the
    `unmade` rungs too. `model`: in PyTorch; of a sentence encoder its SentenceReference.

    Raises ArtifactError where fp32 itself is refused, DataError where the texts prove nothing.
    """
    form = FORMS[form_of(details)]
    rungs, unloaded = _loaded(form, folder, details)
    reference = form.reference(model, rungs["fp32"], texts)
    parities, refused = {}, {}
    for rung, loaded in rungs.items():
        parity = form.parity(reference, loaded)
        parities[rung] = parity.metrics()
        say(f"{rung}: {parity}")
        if reason := parity.refusal(rung, limits):
            refused[rung] = reason
    if "fp32" in refused:
        raise ArtifactError(f"the fp32 graph is not the model: {refused['fp32']}", "try another --opset")
    sizes = {rung: megabytes(folder, details["rungs"][rung]) for rung in rungs}
    times = _times(form, {rung: rungs[rung] for rung in rungs if rung not in refused}) if measure else {}
    refused |= _not_worth_it([rung for rung in rungs if rung not in refused], sizes, times)
    speed = {batch: _medians(found) for batch, found in times.items()}
    refused |= {**unmade, **unloaded}
    for rung, reason in refused.items():
        say(f"{rung} is refused: {reason}")
        shutil.rmtree(folder / f"models/{rung}", ignore_errors=rung in unmade)
    kept = [rung for rung in rungs if rung not in refused]
    candidate = min(kept, key=lambda rung: sizes[rung])
    return {
        "ladder": kept,
        "rungs": {rung: details["rungs"][rung] for rung in kept},
        "refused": refused,
        "proof": parities,
        "megabytes": sizes,
        "speed": speed,
        "candidate": candidate,
        "candidate_because": _because(candidate, sizes, speed),
    }


def _loaded(form: Form, folder: Path, details: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The rungs that can be run, and why others cannot. Raises EngineError where fp32 is among those."""
    rungs, unloaded = {}, {}
    for rung in details["rungs"]:
        try:
            rungs[rung] = form.open(folder, details, rung, 1)
        except EngineError as error:
            if rung == "fp32":
                raise
            unloaded[rung] = first_line(error).replace(f"{folder}/", "")
    return rungs, unloaded


def _times(form: Form, rungs: Mapping[str, Any]) -> Times:
    """In turn on this machine: only ratios of such times mean anything."""
    found = {}
    for batch in BATCHES:
        runs = {name: form.run(rung, batch) for name, rung in rungs.items()}
        seconds = time_in_turn(runs, lambda number: number, ROUNDS)
        found[str(batch)] = {name: 1000 * one for name, one in seconds.items()}
    return found


def _medians(times: dict[str, np.ndarray]) -> dict[str, float]:
    return {rung: round(float(np.median(one)), 3) for rung, one in times.items()}


def _not_worth_it(rungs: list[str], sizes: dict[str, float], times: Times) -> dict[str, str]:
    """The rungs that are no smaller or, where that was measured, at one row not surely faster than the accepted one
    above."""
    refused, above = {}, rungs[0]
    alone = times.get(str(BATCHES[0]), {})
    for rung in rungs[1:]:
        if sizes[rung] >= sizes["fp32"]:
            refused[rung] = f"{sizes[rung]:.3f} MB, fp32 has {sizes['fp32']:.3f}"
            continue
        ratio = speed_up([alone[above]], [alone[rung]], CONFIDENCE) if alone else None
        if ratio and not ratio.surely_above(1.0):
            refused[rung] = f"{ratio} times as fast as {above} at one row: not surely faster"
        else:
            above = rung
    return refused


def _because(candidate: str, sizes: dict[str, float], speed: dict[str, dict[str, float]]) -> str:
    if candidate == "fp32":
        return "no smaller rung was accepted"
    times = "".join(
        f", {found['fp32'] / found[candidate]:.2f}x as fast at batch {batch}" for batch, found in speed.items()
    )
    return f"the smallest accepted rung, {sizes[candidate]:.1f} of {sizes['fp32']:.1f} MB{times}"
