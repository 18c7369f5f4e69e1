"""The ladder of a language model: a rung that loses too much, or is not surely faster, is refused with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from components.deployment.generation.output_parity import OutputParity, Reference, output_parity
from components.deployment.generation.speed import BATCHES, embedding_speed, generation_speed
from components.deployment.sentence_embedding.parity import EmbeddingParity, EmbeddingReference, embedding_parity
from components.deployment.speed_up import speed_up
from components.errors import ArtifactError, DataError, EngineError, first_line
from components.runtime.generation.embedder import open_embedder
from components.runtime.generation.generator import open_generator
from components.runtime.manifest import megabytes

Say = Callable[[str], None]
Times = dict[str, dict[str, np.ndarray]]
"""Batch -> rung -> milliseconds of each round on this machine."""

CONFIDENCE = 0.95
"""Of the interval that must lie above 1 for a rung to count as faster."""


@dataclass(frozen=True)
class Limits:
    """What a rung may lose. fp32 must also give PyTorch's greedy answers token by token.

    max_difference: of fp32's logits, or numbers of a vector, from PyTorch's. max_perplexity_loss: as a share.
    min_agreement: positions with the same likeliest token. min_cosine: of every vector with PyTorch's.
    """

    max_difference: float = 1.0e-3
    max_perplexity_loss: float = 0.05
    min_agreement: float = 0.85
    min_cosine: float = 0.98


def select_variants(
    folder: Path,
    details: dict[str, Any],
    weights: Any,
    texts: Sequence[str],
    limits: Limits,
    measure: bool,
    say: Say,
    unmade: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Prove every rung written in `folder` and take the refused ones out. What the manifest says of it, of the `unmade`
    rungs too. `weights`: the model in PyTorch; of an encoder its SentenceReference.

    Raises ArtifactError where fp32 itself is refused, DataError where no text has two tokens.
    """
    load = open_embedder if details["form"] == "embedding" else open_generator
    check = _check_embeddings if details["form"] == "embedding" else _check_generation
    rungs, unloaded = _loaded(load, folder, details)
    parities, refused = check(weights, rungs, texts, limits, say)
    if "fp32" in refused:
        raise ArtifactError(f"the fp32 graph is not the model: {refused['fp32']}", "try another --opset")
    sizes = {rung: megabytes(folder, details["rungs"][rung]) for rung in rungs}
    times = _times(details["form"], {rung: rungs[rung] for rung in rungs if rung not in refused}) if measure else {}
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


def _loaded(load: Callable[..., Any], folder: Path, details: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The rungs that can be run, and why others cannot. Raises EngineError where fp32 is among those."""
    rungs, unloaded = {}, {}
    for rung in details["rungs"]:
        try:
            rungs[rung] = load(folder, details, rung, 1)
        except EngineError as error:
            if rung == "fp32":
                raise
            unloaded[rung] = first_line(error).replace(f"{folder}/", "")
    return rungs, unloaded


def generation_refusal(rung: str, parity: OutputParity, limits: Limits) -> str | None:
    """Why a rung is not good enough, or None."""
    if rung == "fp32":
        if parity.max_difference > limits.max_difference:
            return (
                f"a logit differs from PyTorch's by {parity.max_difference:.2g} on {parity.worst}, "
                f"{limits.max_difference:g} is allowed"
            )
        return None if parity.greedy_exact == 1 else f"only {parity.greedy_exact:.1%} of greedy tokens are PyTorch's"
    if not parity.perplexity_loss <= limits.max_perplexity_loss:
        return (
            f"perplexity {parity.perplexity:.4g} against {parity.reference_perplexity:.4g}, "
            f"{limits.max_perplexity_loss:.0%} more is allowed"
        )
    if parity.agreement < limits.min_agreement:
        return f"the likeliest token is the same at {parity.agreement:.1%}, {limits.min_agreement:.0%} is asked for"
    return None


def embedding_refusal(rung: str, parity: EmbeddingParity, limits: Limits) -> str | None:
    """Why a rung is not good enough, or None."""
    if rung == "fp32" and parity.max_difference > limits.max_difference:
        return f"a number differs from PyTorch's by {parity.max_difference:.2g}, {limits.max_difference:g} is allowed"
    if parity.min_cosine < limits.min_cosine:
        return f"cosine {parity.min_cosine:.4f} with PyTorch's on {parity.worst}, {limits.min_cosine:g} is asked for"
    return None


def _check_generation(
    weights: Any, rungs: dict[str, Any], texts: Sequence[str], limits: Limits, say: Say
) -> tuple[dict[str, Any], dict[str, str]]:
    if not any(len(rungs["fp32"].encode(text)) >= 2 for text in texts):
        raise DataError("no text of two tokens and more to prove the graphs on", "--rows FILE names one")
    reference = Reference(weights, rungs["fp32"], texts)
    parities, refused = {}, {}
    for rung, generator in rungs.items():
        parity = output_parity(reference, generator)
        parities[rung] = parity.metrics()
        say(
            f"{rung}: largest difference {parity.max_difference:.1e}, perplexity {parity.perplexity:.5g} against "
            f"{parity.reference_perplexity:.5g}, greedy tokens the same {parity.greedy_exact:.1%}"
        )
        if reason := generation_refusal(rung, parity, limits):
            refused[rung] = reason
    return parities, refused


def _check_embeddings(
    weights: Any, rungs: dict[str, Any], texts: Sequence[str], limits: Limits, say: Say
) -> tuple[dict[str, Any], dict[str, str]]:
    if not any(text.strip() for text in texts):
        raise DataError("no text to prove the graphs on", "--rows FILE names some")
    reference = EmbeddingReference(weights, rungs["fp32"], texts)
    parities, refused = {}, {}
    for rung, embedder in rungs.items():
        parity = embedding_parity(reference, embedder)
        parities[rung] = parity.metrics()
        say(
            f"{rung}: cosine with the model's own vectors {parity.min_cosine:.5f} and more, "
            f"{parity.mean_cosine:.5f} on average"
        )
        if reason := embedding_refusal(rung, parity, limits):
            refused[rung] = reason
    return parities, refused


def _times(form: str, rungs: dict[str, Any]) -> Times:
    measure: Callable[..., dict[str, np.ndarray]] = embedding_speed if form == "embedding" else generation_speed
    return {str(batch): measure(rungs, batch) for batch in BATCHES}


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
            refused[rung] = f"{ratio} times as fast as {above}, a step of one row: not surely faster"
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
