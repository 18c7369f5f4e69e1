from __future__ import annotations

import numpy as np
import pytest

from components.serving.embedding import Embedding
from components.serving.request_error import RequestError
from tests.serving.conftest import Generators
from tests.serving.scripted import ScriptedEmbedder

TEXTS = ["ship wave whale tide", "門 市 tower street"]


@pytest.fixture
def scripted() -> Embedding:
    return Embedding(ScriptedEmbedder(), 256)  # type: ignore[arg-type]


def test_texts_are_cut_and_ids_are_not(scripted: Embedding) -> None:
    assert list(map(len, scripted.rows(["a" * 20, [1, 2]]))) == [8, 2]
    with pytest.raises(RequestError, match="9 tokens, the model takes 8"):
        scripted.rows([[1] * 9])


def test_a_text_without_a_token_is_refused(scripted: Embedding) -> None:
    with pytest.raises(RequestError, match="'input' holds a text without a token"):
        scripted.rows(["a", ""])


def test_it_tells_how_long_its_vectors_are(scripted: Embedding) -> None:
    assert scripted.describe()["outputs"] == [{"name": "embedding", "datatype": "FP32", "shape": [-1, 2]}]


@pytest.mark.slow
def test_a_bundle_answers_as_its_runtime_does(generators: Generators) -> None:
    model = Embedding.load(generators.meanings)
    found = model.infer(model.rows(TEXTS))["embedding"]
    assert found.shape == (2, model.width)
    assert np.allclose(found, model.embedder.embed(TEXTS), atol=1e-5)
