from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import read_manifest
from components.errors import ArtifactError, DataError
from components.runtime.generation.embedder import load_embedder, open_embedder


def test_vectors_are_of_length_one_and_do_not_depend_on_company(embedding_bundle: Path) -> None:
    embedder = load_embedder(embedding_bundle, "fp32")
    texts = ["ship wave tide", "海", "tower market crowd lamp bridge square city"] * 8
    vectors = embedder.embed(texts)
    assert vectors.shape == (24, 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(vectors[:3] - np.concatenate([embedder.embed([text]) for text in texts[:3]])).max() < 1e-5


def test_they_are_pytorchs(embedding_bundle: Path) -> None:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(embedding_bundle.parent / "modernbert").eval()
    embedder = load_embedder(embedding_bundle, "fp32")
    ids = embedder.encode(["ship wave tide"])
    with torch.inference_mode():
        hidden = model(input_ids=torch.tensor(ids)).last_hidden_state[0].mean(0)
    expected = (hidden / hidden.norm()).numpy()
    assert np.abs(embedder.embed(["ship wave tide"])[0] - expected).max() < 1e-5


def test_long_texts_are_cut_and_no_texts_are_no_vectors(embedding_bundle: Path) -> None:
    embedder = load_embedder(embedding_bundle)
    assert len(embedder.encode(["ship " * 500])[0]) == embedder.max_length == 64
    assert embedder.embed([]).shape == (0, 64)


def test_a_prompt_stands_in_front_of_every_text_or_of_those_it_is_asked_for(embedding_bundle: Path) -> None:
    plain = load_embedder(embedding_bundle, "fp32")
    prompted = replace(plain, prompt="ship ", prompts={"query": "tower "})
    assert prompted.encode(["wave"]) == plain.encode(["ship wave"])
    assert np.array_equal(prompted.embed(["wave"], "query"), plain.embed(["tower wave"]))
    with pytest.raises(DataError, match=r"no prompt 'passage'\nknown: query"):
        prompted.embed(["wave"], "passage")
    with pytest.raises(DataError, match="has none"):
        plain.embed(["wave"], "query")


def test_what_is_no_text_or_no_embedding_bundle_is_refused(embedding_bundle: Path, decoder_bundle: Path) -> None:
    with pytest.raises(DataError, match="text 1: expected a string"):
        load_embedder(embedding_bundle).embed(["a", 5])  # type: ignore[list-item]
    with pytest.raises(ArtifactError, match="a bundle for generation, not for embedding"):
        load_embedder(decoder_bundle)


def test_embedding_needs_neither_torch_nor_transformers(embedding_bundle: Path, root: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from components.runtime.generation.embedder import load_embedder\n"
        "load_embedder(Path(sys.argv[1])).embed(['ship'])\n"
        "print(sorted({'torch', 'transformers', 'onnx'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(embedding_bundle)]
    assert subprocess.check_output(command, text=True, cwd=root).strip() == "[]"


@pytest.mark.parametrize(("split", "ends"), [(False, 2), (True, 1)])
def test_the_name_of_a_special_token_is_letters_where_the_tokenizer_splits_it(
    split: bool, ends: int, embedding_bundle: Path
) -> None:
    manifest = read_manifest(embedding_bundle, "bundle") | {"split_special_tokens": split}
    embedder = open_embedder(embedding_bundle, manifest, "fp32", 1)
    assert embedder.encode(["a [SEP] b"])[0].count(2) == ends
