from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    PreTrainedModel,
    RobertaConfig,
)

from components.errors import ParameterError
from components.modeling.architectures import LANGUAGE_MODELS, build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.vocabulary import check_padding_stays, grow_vocabulary, prune_vocabulary
from tests.small_families import FAMILIES, family_checkpoint

KEPT = [0, 1, 2, 3, 20, 30, 31]
OLD = torch.tensor([[1, 20, 31, 30, 2], [1, 30, 2, 0, 0]])
NEW = torch.tensor([[1, 4, 6, 5, 2], [1, 5, 2, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def pretrained(architecture: str, tokenizer_folder: Path, folder: Path) -> Path:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, folder)
    return folder


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
@torch.no_grad()
def test_texts_of_kept_tokens_have_the_same_logits_to_the_bit(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    model = random_classifier(pretrained(architecture, tokenizer_folder, tmp_path), ["a", "b"], 0.0).eval()
    before = model(OLD, attention_mask=MASK).logits
    prune_vocabulary(model, KEPT)
    assert torch.equal(model(NEW, attention_mask=MASK).logits, before)
    model.save_pretrained(tmp_path / "own")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "own").eval()
    assert again.config.vocab_size == again.get_input_embeddings().num_embeddings == len(KEPT)
    assert torch.equal(again(NEW, attention_mask=MASK).logits, before)


def test_special_tokens_get_their_new_ids(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = random_classifier(pretrained("modernbert", tokenizer_folder, tmp_path), ["a", "b"], 0.0)
    model.config.eos_token_id = [2, 30]
    prune_vocabulary(model, [2, 0, 30, 1])
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
    prune_vocabulary(model, KEPT)
    torch.testing.assert_close(model(NEW).logits, before[..., KEPT])


@pytest.mark.parametrize("name", ["bert", "llama", "qwen2"])
def test_new_tokens_begin_as_the_mean_of_the_known(name: str, tmp_path: Path) -> None:
    """Tied and untied heads; rows to spare are used before the table grows."""
    folder = family_checkpoint(name, tmp_path / name)
    family, known = FAMILIES[name], len(load_tokenizer(folder))
    model = load_language_model(folder, family.causal)
    before = {place: tensor.clone() for place, tensor in enumerate(rows(model))}
    grow_vocabulary(model, known, known + 3)
    for place, tensor in enumerate(rows(model)):
        assert len(tensor) == known + max(3, family.spare)
        torch.testing.assert_close(tensor[:known], before[place][:known])
        for new in tensor[known : known + 3]:
            torch.testing.assert_close(new, before[place][:known].mean(dim=0))
        torch.testing.assert_close(tensor[known + 3 :], before[place][known + 3 :])
    assert model.config.vocab_size == known + max(3, family.spare)


def test_a_table_that_has_every_row_stays(tmp_path: Path) -> None:
    folder = family_checkpoint("bert", tmp_path / "bert")
    known = len(load_tokenizer(folder))
    model = load_language_model(folder, causal=False)
    before = model.get_input_embeddings().weight.clone()
    grow_vocabulary(model, known, known)
    assert torch.equal(model.get_input_embeddings().weight, before)


def load_language_model(folder: Path, causal: bool) -> PreTrainedModel:
    loaded: PreTrainedModel = LANGUAGE_MODELS["causal_lm" if causal else "masked_lm"].from_pretrained(folder)
    return loaded


def rows(model: PreTrainedModel) -> list[Tensor]:
    head = model.get_output_embeddings()
    return [model.get_input_embeddings().weight, head.weight, *([] if head.bias is None else [head.bias])]


def test_where_positions_count_from_the_padding_token_it_keeps_its_id() -> None:
    config = RobertaConfig(pad_token_id=1)
    check_padding_stays(config, [0, 1, 2, 30])
    check_padding_stays(BertConfig(pad_token_id=3), [0, 3, 30])
    with pytest.raises(ParameterError, match="a roberta counts positions from its padding token") as caught:
        check_padding_stays(config, [1, 2, 30])
    assert str(caught.value).endswith("set it to 0 to keep the whole vocabulary")
