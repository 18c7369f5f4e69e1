from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.deployment import variants
from components.deployment.generation.output_parity import OutputParity
from components.deployment.sentence_embedding.parity import EmbeddingParity
from components.deployment.variants import FORMS, select_variants
from components.errors import ArtifactError, DataError
from components.runtime.generation.embedder import load_embedder
from components.runtime.generation.generator import load_generator
from tests.small_language_bundles import LIMITS, TEXTS

PERFECT = OutputParity(1e-6, 1e-7, 1.0, 1.0, 20.0, 20.0, "one row", 1e-6)


def written(bundle: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A bundle's graphs before the gate has judged them."""
    shutil.copytree(bundle, folder)
    details = json.loads((folder / "manifest.json").read_text())
    return folder, details | {"rungs": {rung: details["rungs"][rung] for rung in ("fp32", "int8", "int4")}}


@pytest.mark.parametrize(
    ("rung", "changed", "told"),
    [
        ("fp32", {"max_difference": 0.5}, "differs from PyTorch's by 0.5 on one row"),
        ("fp32", {"greedy_exact": 0.99}, "only 99.0% of greedy tokens"),
        ("int8", {"perplexity": 22.0}, "perplexity 22 against 20, 5% more is allowed"),
        ("int8", {"perplexity": float("nan")}, "perplexity nan"),
        ("int4", {"agreement": 0.5}, "the same at 50.0%, 85% is asked for"),
    ],
)
def test_a_rung_that_loses_too_much_is_refused_with_the_reason(rung: str, changed: dict[str, Any], told: str) -> None:
    assert told in str(replace(PERFECT, **changed).refusal(rung, LIMITS))


def test_a_rung_within_limits_is_not() -> None:
    assert PERFECT.refusal("fp32", LIMITS) is None
    assert replace(PERFECT, max_difference=3.0, greedy_exact=0.4).refusal("int8", LIMITS) is None


def test_vectors_that_turned_are_refused() -> None:
    assert "cosine 0.9000" in str(EmbeddingParity(0.9, 0.99, 0.1, "a").refusal("int8", LIMITS))
    assert "a number differs" in str(EmbeddingParity(1.0, 1.0, 0.1, "a").refusal("fp32", LIMITS))
    assert EmbeddingParity(0.99, 0.99, 0.1, "a").refusal("int8", LIMITS) is None


def test_a_refused_rung_leaves_the_bundle_and_the_one_above_ships(
    decoder_bundle: Path, decoder_model: Any, tmp_path: Path
) -> None:
    folder, details = written(decoder_bundle, tmp_path / "bundle")
    said: list[str] = []
    limits = LIMITS.model_copy(update={"max_loss": -1.0})
    found = select_variants(folder, details, decoder_model, TEXTS, limits, measure=False, say=said.append)
    assert (found["candidate"], list(found["rungs"]), sorted(found["refused"])) == ("fp32", ["fp32"], ["int4", "int8"])
    assert not (folder / "models/int8").exists()
    assert any(line.startswith("int8 is refused: perplexity") for line in said)
    assert set(found["proof"]) == {"fp32", "int8", "int4"}


def test_a_rung_that_is_not_faster_is_refused(
    decoder_bundle: Path, decoder_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, details = written(decoder_bundle, tmp_path / "bundle")
    times = {"fp32": 5.0, "int8": 5.5, "int4": 4.0}
    rounds = {name: np.full(9, time) for name, time in times.items()}
    monkeypatch.setattr(variants, "time_in_turn", lambda runs, *_: {name: rounds[name] / 1000 for name in runs})
    limits = LIMITS.model_copy(update={"max_loss": 1.0, "min_token_agreement": 0.0})
    found = select_variants(folder, details, decoder_model, TEXTS, limits, measure=True, say=lambda line: None)
    told = "0.91 (0.91 to 0.91) times as fast as fp32 at one row: not surely faster"
    assert found["refused"] == {"int8": told}
    assert found["candidate"] == "int4"
    assert "1.25x as fast at batch 1" in found["candidate_because"]


def test_a_rung_that_cannot_be_made_or_loaded_leaves_those_above_it(
    decoder_bundle: Path, decoder_model: Any, tmp_path: Path
) -> None:
    folder, details = written(decoder_bundle, tmp_path / "bundle")
    (folder / "models/int4/decoder.onnx").write_bytes(b"not a graph")
    shutil.rmtree(folder / "models/int8")
    del details["rungs"]["int8"]
    found = select_variants(
        folder, details, decoder_model, TEXTS, LIMITS, measure=False, say=lambda line: None, unmade={"int8": "why"}
    )
    assert (found["candidate"], list(found["rungs"])) == ("fp32", ["fp32"])
    assert found["refused"]["int8"] == "why"
    assert found["refused"]["int4"].startswith("models/int4/decoder.onnx: ")
    assert not (folder / "models/int4").exists()


def test_fp32_that_is_not_the_model_makes_no_bundle(decoder_bundle: Path, decoder_model: Any, tmp_path: Path) -> None:
    folder, details = written(decoder_bundle, tmp_path / "bundle")
    strict = LIMITS.model_copy(update={"max_difference": 1e-12})
    with pytest.raises(ArtifactError, match="the fp32 graph is not the model"):
        select_variants(folder, details, decoder_model, TEXTS, strict, measure=False, say=print)


def test_texts_that_prove_nothing_are_refused(decoder_bundle: Path, decoder_model: Any, tmp_path: Path) -> None:
    folder, details = written(decoder_bundle, tmp_path / "bundle")
    with pytest.raises(DataError, match="no text of two tokens"):
        select_variants(folder, details, decoder_model, ["", ""], LIMITS, measure=False, say=print)


def test_every_rung_of_every_form_can_be_timed(decoder_bundle: Path, embedding_bundle: Path) -> None:
    for form, loaded in (
        ("generation", load_generator(decoder_bundle)),
        ("embedding", load_embedder(embedding_bundle)),
    ):
        FORMS[form].run(loaded, 2)(0)
