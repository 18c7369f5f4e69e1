from __future__ import annotations

from pathlib import Path

import pytest

from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.deployment.generation import rehearsal
from components.deployment.generation.rehearsal import rehearse
from components.deployment.sentence_embedding.encoder import SentenceEncoder
from components.deployment.source import load_weights, read_source
from components.errors import ArtifactError, DataError
from components.runtime.generation.embedder import load_embedder
from components.runtime.generation.generator import Sampling, load_generator
from tests.models_from_elsewhere import FAMILIES, family_folder
from tests.small_language_bundles import LIMITS, TEXTS

FP32 = BundleOptions(rungs=("fp32",), measure=False)
REFUSED = ("mamba", "mpt", "falcon-alibi", "m2m_100")


def rehearsed(name: str, folder: Path, tokenizer: Path) -> None:
    source = read_source(family_folder(folder / name, name, tokenizer))
    rehearse(source, load_weights(source, lambda line: None), TEXTS, source.length)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("qwen3-embedding", *REFUSED)])
def test_a_model_that_can_be_a_graph_says_what_it_says_by_itself(
    name: str, tmp_path: Path, tokenizer_folder: Path
) -> None:
    rehearsed(name, tmp_path, tokenizer_folder)


def test_a_decoder_that_counts_padding_is_refused_before_the_export(tmp_path: Path, tokenizer_folder: Path) -> None:
    with pytest.raises(ArtifactError, match="the logits of a m2m_100, run as its graph would be, differ") as caught:
        rehearsed("m2m_100", tmp_path, tokenizer_folder)
    assert len(str(caught.value).splitlines()) == 2


def test_vectors_that_depend_on_padding_are_refused(
    tmp_path: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Padded(SentenceEncoder):
        def forward(self, input_ids, attention_mask):  # type: ignore[no-untyped-def]
            return super().forward(input_ids, attention_mask * 0 + 1)

    monkeypatch.setattr(rehearsal, "SentenceEncoder", Padded)
    with pytest.raises(ArtifactError, match="the vectors of a bert"):
        rehearsed("bert", tmp_path, tokenizer_folder)


def test_what_a_forward_pass_raises_is_told_in_two_lines(tmp_path: Path, tokenizer_folder: Path) -> None:
    source = read_source(family_folder(tmp_path / "m", "bert", tokenizer_folder))
    model = load_weights(source, lambda line: None)
    with pytest.raises(ArtifactError, match="a bert cannot be run as a graph: ") as caught:
        rehearse(source, model, TEXTS, source.length + 1)
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(DataError, match="no text to prove"):
        rehearse(source, model, ["", " "], source.length)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("qwen3-embedding", *REFUSED)])
def test_a_bundle_of_each_family_answers_as_its_own_library_does(
    name: str, tmp_path: Path, tokenizer_folder: Path
) -> None:
    model = family_folder(tmp_path / name, name, tokenizer_folder)
    made = make_bundle(model, tmp_path / "bundle", TEXTS, FP32, LIMITS, say=lambda line: None)
    if made["form"] == "embedding":
        assert made["proof"]["fp32"]["min_cosine"] > 0.9999
        assert load_embedder(tmp_path / "bundle").embed(["ship wave"]).shape[0] == 1
    else:
        assert made["proof"]["fp32"]["greedy_exact"] == 1
        assert load_generator(tmp_path / "bundle").complete(["ship"], Sampling(4, 0.0, 1.0, None, ()))
