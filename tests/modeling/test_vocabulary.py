from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from components.modeling.architectures import MADE_ANEW, build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.vocabulary import keep_tokens
from components.params import ModelConfig

KEPT = [0, 1, 2, 3, 20, 30, 31]
OLD = torch.tensor([[1, 20, 31, 30, 2], [1, 30, 2, 0, 0]])
NEW = torch.tensor([[1, 4, 6, 5, 2], [1, 5, 2, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def pretrained(architecture: str, tokenizer_folder: Path, folder: Path) -> Path:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, folder)
    return folder


@pytest.mark.parametrize("architecture", MADE_ANEW)
@torch.no_grad()
def test_texts_of_kept_tokens_have_the_same_logits_to_the_bit(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    model = random_classifier(pretrained(architecture, tokenizer_folder, tmp_path), ["a", "b"], 0.0).eval()
    before = model(OLD, attention_mask=MASK).logits
    keep_tokens(model, KEPT)
    assert torch.equal(model(NEW, attention_mask=MASK).logits, before)
    model.save_pretrained(tmp_path / "own")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "own").eval()
    assert again.config.vocab_size == again.get_input_embeddings().num_embeddings == len(KEPT)
    assert torch.equal(again(NEW, attention_mask=MASK).logits, before)


def test_special_tokens_get_their_new_ids(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = random_classifier(pretrained("modernbert", tokenizer_folder, tmp_path), ["a", "b"], 0.0)
    model.config.eos_token_id = [2, 30]
    keep_tokens(model, [2, 0, 30, 1])
    config, table = model.config, model.get_input_embeddings()
    assert (config.pad_token_id, config.cls_token_id, config.sep_token_id) == (1, 3, 0)
    assert config.eos_token_id == [0, 2]
    assert table.padding_idx == 1


@pytest.mark.parametrize("architecture", ["modernbert", "bert"])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_vocabulary_head_keeps_the_same_tokens(
    architecture: str, tied: bool, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = pretrained(architecture, tokenizer_folder, tmp_path)
    model = AutoModelForMaskedLM.from_pretrained(folder, tie_word_embeddings=tied).eval()
    model.get_output_embeddings().bias.uniform_()
    before = model(OLD).logits
    keep_tokens(model, KEPT)
    torch.testing.assert_close(model(NEW).logits, before[..., KEPT])
