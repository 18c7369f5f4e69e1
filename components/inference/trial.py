"""Engines built and tried: do they run here, and do they answer as their graph does on ONNX Runtime's CPU?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import ArtifactError, EngineError, first_line
from components.inference.engine_store import Say, engine_file, say
from components.inference.engines import Engine, OnnxRuntime, Profile, Session
from components.inference.profiles import GraphTensor, sample
from components.inference.sessions import Arrays

BUILT_NOT_RUN = "built, not run"
BUILT_AND_RUN = "built and run"
SAMPLES = "samples"
"""A bundle's folder of real inputs: one .npz file a call, an array for each input of the graph."""

SEEDS = (0, 1)


@dataclass(frozen=True)
class Difference:
    """How far two sessions are apart on the same inputs: over all outputs, and in the answer (the first output's
    largest entry along its last axis). An output that is not finite differs infinitely."""

    max_difference: float
    mean_difference: float
    agreement: float

    def metrics(self) -> dict[str, float]:
        """As numbers for a file; differences to three digits, since the last bits are noise."""
        return {
            "max_difference": float(f"{self.max_difference:.3g}"),
            "mean_difference": float(f"{self.mean_difference:.3g}"),
            "agreement": round(self.agreement, 6),
        }


def build_and_try(
    engine: Engine,
    onnx: Path,
    profile: Profile,
    samples: Sequence[Arrays] = (),
    vocabulary: int = 256,
    say: Say = say,
) -> dict[str, Any]:
    """Build an engine into the store, run it if it runs here, and compare it with its graph. Raises EngineError.

    Without samples of its graph's inputs it is asked about random tokens, at the corners of the profile.
    """
    path = engine_file(engine, onnx, profile, say)
    built: dict[str, Any] = {"version": engine.version(), "profile": str(profile), "flags": list(engine.flags)}
    try:
        session = engine.load(path)
    except EngineError as error:
        return built | {"status": BUILT_NOT_RUN, "reason": first_line(error)}
    reference = OnnxRuntime().load(onnx)
    wanted = {given.name for given in reference.inputs}
    real = [feeds for feeds in samples if set(feeds) == wanted]
    asked = real or list(generated(reference.inputs, profile, vocabulary))
    found = difference(reference, session, asked)
    told = {"samples": len(asked), "inputs": "the bundle's samples" if real else "random tokens"}
    return built | {"status": BUILT_AND_RUN} | told | found.metrics()


def difference(reference: Session, candidate: Session, samples: Iterable[Arrays]) -> Difference:
    """Compare two sessions on the same inputs."""
    largest, total, count, same = 0.0, 0.0, 0, []
    for feeds in samples:
        expected, found = reference.run(feeds), candidate.run(feeds)
        for name, values in expected.items():
            apart = np.abs(values.astype(np.float64) - found[name].astype(np.float64))
            apart = np.nan_to_num(apart, nan=np.inf, posinf=np.inf)
            largest = max(largest, float(apart.max(initial=0.0)))
            total, count = total + float(apart.sum()), count + apart.size
        answer = next(iter(expected))
        same.append((expected[answer].argmax(-1) == found[answer].argmax(-1)).ravel())
    return Difference(largest, total / max(1, count), float(np.concatenate(same).mean()))


def generated(inputs: Sequence[GraphTensor], profile: Profile, vocabulary: int) -> Iterator[dict[str, np.ndarray]]:
    """Random inputs in the shapes that the profile names."""
    for sizes in profile.corners(inputs):
        for seed in SEEDS:
            yield sample(inputs, sizes, seed, vocabulary)


def write_samples(folder: Path, samples: Iterable[Arrays]) -> None:
    """Put inputs into a bundle; equal ones give equal bytes."""
    (folder / SAMPLES).mkdir()
    for number, feeds in enumerate(samples):
        np.savez_compressed(folder / SAMPLES / f"{number:03d}.npz", allow_pickle=False, **feeds)


def read_samples(folder: Path) -> list[dict[str, np.ndarray]]:
    """The real inputs that a bundle carries, none where it has no such folder. Raises ArtifactError."""
    found = []
    for path in sorted((folder / SAMPLES).glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found.append({name: arrays[name] for name in arrays.files})
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path}: not an array file: {first_line(error)}") from None
    return found
