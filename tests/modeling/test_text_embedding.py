"""Vectors of texts: the mean over the real tokens, saved and loaded as any model is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from components.modeling.checkpoints import load_classifier, random_classifier
from components.modeling.heads import HEADS
from components.modeling.loading import load_model
from tests.small_tuning import pretrained_folder

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


@pytest.mark.parametrize("architecture", ["modernbert", "bert", "gpt2"])
def test_a_vector_is_the_mean_of_the_real_tokens(architecture: str, tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = pretrained_folder(tmp_path / "pretrained", tokenizer_folder, architecture)
    loaded = load_classifier(folder, ("vector",), 0.0, "embedding")
    assert loaded.new == ()
    model = loaded.model.eval()
    assert type(model).__name__.endswith("ForTextEmbedding")
    with torch.no_grad():
        found = model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
        hidden = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    means = torch.stack([hidden[0].mean(dim=0), hidden[1, :2].mean(dim=0)])
    assert torch.allclose(found.sentence_embedding, normalize(means, dim=-1), atol=1e-6)
    assert len(found.hidden_states) > 1

    model.save_pretrained(tmp_path / "saved")
    again = load_model(HEADS["embedding"], tmp_path / "saved").model.eval()
    with torch.no_grad():
        assert torch.equal(again(input_ids=IDS, attention_mask=MASK)[0], found[0])


def test_random_weights_are_a_models_as_well(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = pretrained_folder(tmp_path / "pretrained", tokenizer_folder, "bert")
    model = random_classifier(folder, ("vector",), 0.1, "embedding")
    assert model(input_ids=IDS, attention_mask=MASK)[0].norm(dim=1).tolist() == pytest.approx([1, 1])
