import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import XLMRobertaConfig

from components.artifacts import digest
from components.errors import ArtifactError, ParameterError
from components.modeling.checkpoints import (
    check_architecture,
    load_classifier,
    load_language_model,
    load_tokenizer,
    pooler_weights,
    random_classifier,
    save_checkpoint,
)
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.tokenization.config import TrainTokenizerConfig
from components.tokenization.train import write_imported
from tests.small_checkpoints import small_checkpoint, small_model
from tests.small_families import family_checkpoint

LABELS = ["blue", "red"]


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_a_classifier_starts_from_the_encoder_of_the_checkpoint(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = small_checkpoint(architecture, tokenizer_folder, tmp_path / "checkpoint")
    embedding = small_model(architecture, tokenizer_folder).get_input_embeddings().weight
    torch.manual_seed(9)
    pretrained = load_classifier(folder, LABELS, 0.1).model
    scratch = random_classifier(folder, LABELS, 0.1)
    assert torch.equal(pretrained.get_input_embeddings().weight, embedding)
    assert not torch.equal(scratch.get_input_embeddings().weight, embedding)
    assert pretrained.config.id2label == {0: "blue", 1: "red"}
    assert pretrained(torch.tensor([[1, 9, 2, 0]])).logits.shape == (1, 2)


def test_the_same_weights_give_the_same_bytes_in_any_folder(tokenizer_folder: Path, tmp_path: Path) -> None:
    first = small_checkpoint("modernbert", tokenizer_folder, tmp_path / "first")
    second = small_checkpoint("modernbert", tokenizer_folder, tmp_path / "second")
    assert digest(first) == digest(second)


def test_a_checkpoint_does_not_say_where_it_came_from(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("modernbert", tokenizer_folder, tmp_path / "first")
    again = tmp_path / "again"
    again.mkdir()
    loaded = load_language_model(str(folder), load_tokenizer(folder))
    save_checkpoint(loaded.model, tokenizer_folder, again)
    assert str(tmp_path) not in (again / "config.json").read_text()
    assert digest(folder) == digest(again)


def test_a_checkpoint_that_cannot_be_found_is_a_one_line_error(
    tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ParameterError, match=r"pretrain.init_from: cannot load 'someone/nothing'") as caught:
        load_language_model("someone/nothing", load_tokenizer(tokenizer_folder))
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(ParameterError, match="cannot load"):
        load_language_model(str(tmp_path), load_tokenizer(tokenizer_folder))


def test_a_checkpoint_of_another_architecture_is_refused() -> None:
    check_architecture("base", XLMRobertaConfig(), "xlm_roberta")
    with pytest.raises(ParameterError, match=r"base is a xlm-roberta, but model.architecture is bert") as caught:
        check_architecture("base", XLMRobertaConfig(), "bert")
    assert caught.value.hint.startswith("set model.architecture to xlm_roberta")


def test_a_checkpoint_with_other_token_ids_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("modernbert", tokenizer_folder, tmp_path / "checkpoint")
    ours = load_tokenizer(tokenizer_folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    first, second = list(vocabulary)[10:12]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=rf"2 of {len(ours)} tokens .* under their ids, '.*' the first of them"):
        load_language_model(str(folder), ours)


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no tokenizer.json"):
        load_tokenizer(tmp_path)
    with pytest.raises(ArtifactError, match=r"no config.json"):
        load_classifier(tmp_path, LABELS, 0.0)


@pytest.mark.parametrize("name", ["gpt2", "roberta", "qwen2"])
def test_a_checkpoint_with_tokens_of_ours_beside_its_own_goes_on(name: str, tmp_path: Path) -> None:
    base, own = family_checkpoint(name, tmp_path / "base"), tmp_path / "own"
    own.mkdir()
    config = TrainTokenizerConfig.model_validate(
        {
            "kind": "byte_bpe",
            "vocab_size": 300,
            "min_frequency": 2,
            "from": str(base),
            "extend": 0,
            "special_tokens": ["<note>"],
        }
        | {"chat_template": None}
    )
    write_imported(config, str(base), own)
    tokenizer = load_tokenizer(own)
    loaded = load_language_model(str(base), tokenizer)
    assert loaded.model.get_input_embeddings().num_embeddings >= len(tokenizer)
    assert loaded.new == ()
    # RoBERTa counts its positions from its own padding token, which therefore stays.
    assert loaded.model.config.pad_token_id == (1 if name == "roberta" else tokenizer.pad_token_id)
    save_checkpoint(loaded.model, own, tmp_path / "saved")
    classifier = load_classifier(tmp_path / "saved", LABELS, 0.1)
    batch = tokenizer(["<note> whale", "a tide and a whale"], padding=True, return_tensors="pt")
    answers = classifier.model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    alone = tokenizer(["<note> whale"], return_tensors="pt")
    single = classifier.model(input_ids=alone["input_ids"], attention_mask=alone["attention_mask"]).logits
    torch.testing.assert_close(answers[:1], single)


def test_attention_is_fine_tuned_without_a_dropout_of_its_own(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("bert", tokenizer_folder, tmp_path / "checkpoint")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attention_probs_dropout_prob": 0.1}))
    assert load_classifier(folder, LABELS, 0.2).model.config.attention_probs_dropout_prob == 0


def test_a_pooler_is_found_in_whichever_shard_it_is(tmp_path: Path) -> None:
    tensors = {"bert.a.weight": torch.ones(2), "bert.pooler.dense.bias": torch.ones(4, dtype=torch.bfloat16)}
    files = {name: f"model-0000{number}.safetensors" for number, name in enumerate(tensors)}
    for name, file in files.items():
        save_file({name: tensors[name]}, tmp_path / file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    found = pooler_weights(tmp_path)
    assert found.keys() == {"pooler.dense.bias"}
    assert found["pooler.dense.bias"].dtype is torch.float32


@torch.no_grad()
def test_a_new_token_begins_as_the_mean_of_those_it_was_read_as(tmp_path: Path) -> None:
    """Its text is less of a surprise then than with a random row, and what has none of them is answered as before."""
    base, own = family_checkpoint("gpt2", tmp_path / "base"), tmp_path / "own"
    own.mkdir()
    theirs = load_tokenizer(base)
    word = theirs.backend_tokenizer.pre_tokenizer.pre_tokenize_str("θάλασσα")[0][0]
    content = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"] |= theirs.get_vocab() | {word: len(theirs)}
    shutil.copyfile(base / "tokenizer_config.json", own / "tokenizer_config.json")
    (own / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    ours, old = load_tokenizer(own), theirs.backend_tokenizer.model.tokenize(word)
    model, before = (
        load_language_model(str(base), ours).model.eval(),
        load_language_model(str(base), theirs).model.eval(),
    )
    table, known = model.get_input_embeddings().weight, len(theirs)
    torch.testing.assert_close(table[known], table[[piece.id for piece in old]].mean(dim=0))
    text = theirs("a tide and a whale", return_tensors="pt")["input_ids"]
    torch.testing.assert_close(model(text).logits[..., :known], before(text).logits[..., :known])
    ids = torch.tensor([[*text[0].tolist(), known, *text[0].tolist()]])
    started = model(ids, labels=ids).loss
    torch.manual_seed(0)
    table[known] = torch.randn_like(table[known])
    assert started < model(ids, labels=ids).loss
