from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.artifacts import verify
from components.deployment.generation.output_parity import Reference, TeacherForced, cases, output_parity, perplexity
from components.params import Params
from components.runtime.generation.generator import Generator, load_generator
from components.runtime.generation.graphs import Graph
from tests.deployment.planted_faults import exchange_slots, positions_behind
from tests.small_language_bundles import TEXTS, bundled


@pytest.fixture(scope="module")
def reference(generator: Generator, decoder_model: Any) -> Reference:
    return Reference(decoder_model, generator, TEXTS)


def edited(generator: Generator, bundle: Path, tmp_path: Path, edit: Callable[[onnx.GraphProto], None]) -> Generator:
    """The generator with another graph."""
    model = onnx.load(bundle / "models/fp32/decoder.onnx")
    edit(model.graph)
    (tmp_path / "planted.onnx").write_bytes(model.SerializeToString())
    return replace(generator, decoder=Graph.load(tmp_path / "planted.onnx", 1))


def planted(generator: Generator, bundle: Path, tmp_path: Path, weight: str, factor: float) -> Generator:
    """The generator with one weight matrix scaled."""

    def scale(graph: onnx.GraphProto) -> None:
        (found,) = (one for one in graph.initializer if one.name == weight)
        found.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(found) * np.float32(factor), weight))

    return edited(generator, bundle, tmp_path, scale)


def test_fp32_is_pytorch_token_by_token(reference: Reference, generator: Generator) -> None:
    parity = output_parity(reference, generator)
    assert parity.max_difference < 1e-4
    assert (parity.greedy_exact, parity.agreement) == (1.0, 1.0)
    assert parity.perplexity == pytest.approx(parity.reference_perplexity, rel=1e-4)
    assert 1 < parity.perplexity < 100
    assert all(len(answer) == 32 or answer[-1] == 2 for answer in reference.answers)
    assert len({len(answer) for answer in reference.answers}) > 1


def test_int8_is_near_and_int4_less_so(reference: Reference, decoder_bundle: Path) -> None:
    int8, int4 = (output_parity(reference, load_generator(decoder_bundle, rung)) for rung in ("int8", "int4"))
    assert int8.perplexity_loss < 0.05
    assert int8.mean_difference < int4.mean_difference


@pytest.mark.parametrize(
    ("weight", "factor"),
    [
        ("model.lm_head.weight", 1.01),
        ("model.transformer.wpe.weight", 2.0),
        ("model.transformer.h.0.attn.c_attn.weight", 0.0),
    ],
)
def test_a_planted_fault_shows(
    weight: str, factor: float, reference: Reference, generator: Generator, decoder_bundle: Path, tmp_path: Path
) -> None:
    parity = output_parity(reference, planted(generator, decoder_bundle, tmp_path, weight, factor))
    assert parity.max_difference > 1e-3
    assert parity.worst in reference.cases


def test_exchanged_slots_of_the_cache_are_told_from_positions_off_by_one(
    reference: Reference, generator: Generator, decoder_bundle: Path, params: Params, tmp_path: Path
) -> None:
    cache, positions = (
        output_parity(reference, edited(generator, decoder_bundle, tmp_path, edit)).refusal("fp32", params.gate)
        for edit in (exchange_slots, positions_behind)
    )
    assert cache is not None
    assert "and none before the cache is read" in cache
    assert positions is not None
    assert "a logit differs from PyTorch's" in positions
    assert "cache" not in positions


def test_a_graph_that_answers_nan_differs_infinitely(
    reference: Reference, generator: Generator, decoder_bundle: Path, tmp_path: Path
) -> None:
    fault = planted(generator, decoder_bundle, tmp_path, "model.lm_head.weight", float("nan"))
    assert output_parity(reference, fault).max_difference == float("inf")


def test_cases_are_batches_of_one_three_and_eight_and_the_full_length(
    generator: Generator, translator: Generator
) -> None:
    rows = [generator.encode(text) for text in TEXTS]
    made = cases(rows, generator)
    assert [len(case) for case in made.values()][:4] == [1, 3, 8, 1]
    assert len(made["one row of the full length"][0].prompt) == generator.max_length - 1
    assert len(made["one row, token by token"][0].prompt) == 1
    pair = cases([translator.encode(text) for text in TEXTS], translator)["held-out rows"][0]
    assert (pair.prompt, bool(pair.source), bool(pair.continuation)) == ([0], True, True)


def test_an_encoder_decoder_is_proven_with_its_source(translator: Generator, encoder_decoder_model: Any) -> None:
    parity = output_parity(Reference(encoder_decoder_model, translator, TEXTS[:9]), translator)
    assert parity.max_difference < 1e-4
    assert parity.greedy_exact == 1.0


@pytest.mark.slow
def test_learned_positions_of_an_encoder_decoder_are_each_rows_own(tmp_path: Path, tokenizer_folder: Path) -> None:
    parity = verify(bundled(tmp_path, "bart", tokenizer_folder), "bundle")["proof"]["fp32"]
    assert parity["max_difference"] < 1e-4
    assert parity["greedy_exact"] == 1.0


def test_perplexity_of_even_odds_is_their_number() -> None:
    assert perplexity([TeacherForced([], [1], [2, 3])], [np.zeros((3, 50), dtype=np.float32)]) == pytest.approx(50)
