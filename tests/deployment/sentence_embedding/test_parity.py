from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from components.deployment.sentence_embedding.parity import EmbeddingReference, cosine, embedding_parity
from components.deployment.sentence_embedding.reference import SentenceReference
from components.deployment.source import load_weights, read_source
from components.inference.sessions import Arrays
from components.runtime.encoding import Encoder
from components.runtime.generation.embedder import load_embedder
from components.runtime.generation.graphs import Graph
from tests.small_language_bundles import TEXTS


@pytest.fixture(scope="module")
def reference(embedding_bundle: Path) -> EmbeddingReference:
    source = read_source(embedding_bundle.parent / "modernbert")
    own = SentenceReference(source, load_weights(source, lambda line: None))
    return EmbeddingReference(own, load_embedder(embedding_bundle, "fp32"), TEXTS)


def test_fp32_vectors_are_pytorchs_in_every_shape(reference: EmbeddingReference, embedding_bundle: Path) -> None:
    parity = embedding_parity(reference, load_embedder(embedding_bundle, "fp32"))
    assert parity.min_cosine > 0.99999
    assert parity.max_difference < 1e-5
    assert {name.rpartition("(")[2].partition(",")[0] for name in reference.batches} >= {"1", "3", "8"}


@pytest.mark.parametrize("rung", ["int8", "int4"])
def test_quantized_vectors_point_the_same_way(reference: EmbeddingReference, embedding_bundle: Path, rung: str) -> None:
    parity = embedding_parity(reference, load_embedder(embedding_bundle, rung))
    assert 0.98 < parity.min_cosine <= parity.mean_cosine < 1


def test_vectors_of_other_rows_or_none_at_all_show(reference: EmbeddingReference, embedding_bundle: Path) -> None:
    embedder = load_embedder(embedding_bundle, "fp32")

    @dataclass(frozen=True)
    class Changed(Graph):
        change: Callable[[np.ndarray], np.ndarray]

        def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
            return {name: self.change(value) for name, value in super().run(feeds).items()}

    turned = Changed(embedder.graph.session, lambda value: value[::-1])
    assert embedding_parity(reference, replace(embedder, graph=turned)).min_cosine < 0.99
    nothing = Changed(embedder.graph.session, lambda value: value * np.nan)
    broken = embedding_parity(reference, replace(embedder, graph=nothing))
    assert (broken.min_cosine, broken.max_difference) == (-1.0, float("inf"))


def test_two_rows_of_zeros_are_alike_and_one_is_like_nothing() -> None:
    zeros, ones = np.zeros((1, 4)), np.ones((1, 4))
    assert [float(cosine(*pair)[0]) for pair in ((zeros, zeros), (zeros, ones), (ones, ones))] == [1.0, 0.0, 1.0]


def test_a_tokenizer_that_cuts_elsewhere_shows_though_the_graph_is_right(
    reference: EmbeddingReference, embedding_bundle: Path
) -> None:
    embedder = load_embedder(embedding_bundle, "fp32")
    shorter = replace(embedder, encoder=Encoder.load(embedding_bundle / "tokenizer.json", 9, 0))
    parity = embedding_parity(reference, shorter)
    assert parity.min_cosine < 0.999
    assert parity.worst == f"{len(reference.texts)} texts"


def test_a_cosine_asks_for_no_length_and_takes_no_nan() -> None:
    one = np.array([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]])
    assert cosine(one, np.array([[6.0, 8.0], [0.0, 2.0], [np.nan, 0.0]])).tolist() == [1.0, 0.0, -1.0]
