from __future__ import annotations

from pathlib import Path

from components.deployment.generation.speed import embedding_speed, generation_speed
from components.runtime.generation.embedder import load_embedder
from components.runtime.generation.generator import load_generator


def test_every_rung_is_timed(decoder_bundle: Path, embedding_bundle: Path) -> None:
    names = ("fp32", "int8", "int4")
    steps = generation_speed({name: load_generator(decoder_bundle, name) for name in names}, 2)
    vectors = embedding_speed({name: load_embedder(embedding_bundle, name) for name in names}, 2)
    assert list(steps) == list(vectors) == list(names)
    assert all((time > 0).all() for time in (*steps.values(), *vectors.values()))
