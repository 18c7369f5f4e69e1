from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.deployment.sentence_embedding.encoder import SentenceEncoder
from components.deployment.sentence_embedding.modules import POOLING_KEYS, Pooling, read_modules
from components.deployment.sentence_embedding.reference import SentenceReference
from components.deployment.source import load_weights, read_source
from tests.models_from_elsewhere import sentence_folder

ROWS = [[5, 6, 7, 8, 9, 10], [11, 12], [13]]


@pytest.mark.parametrize("pooling", [*((mode,) for mode in POOLING_KEYS.values()), ("max", "lasttoken")])
@pytest.mark.parametrize("activation", ["", "torch.nn.modules.activation.SiLU"])
def test_padded_rows_have_the_vectors_of_their_own(
    pooling: tuple[str, ...], activation: str, tmp_path: Path, tokenizer_folder: Path
) -> None:
    folder = sentence_folder(tmp_path / "m", tokenizer_folder, pooling=pooling, dense=activation, norm=bool(activation))
    source = read_source(folder)
    model = load_weights(source, lambda line: None)
    ids = torch.zeros(3, 8, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(ROWS):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    with torch.no_grad():
        found = SentenceEncoder(model, source.modules.steps).eval()(ids, mask).numpy()
    assert found.shape == (3, 48 if activation else 64 * len(pooling))
    assert np.abs(found - SentenceReference(source, model).vectors(ROWS)).max() < 1e-5


def test_what_stands_behind_the_pooling_is_in_its_order(tmp_path: Path, tokenizer_folder: Path) -> None:
    folder = sentence_folder(tmp_path / "m", tokenizer_folder, dense="torch.nn.modules.activation.Tanh", norm=True)
    made = SentenceEncoder(torch.nn.Identity(), read_modules(folder).steps)
    assert made.pooling == Pooling(("mean",))
    assert [type(step).__name__ for step in made.rest] == ["Sequential", "LayerNorm", "_Normalized"]
