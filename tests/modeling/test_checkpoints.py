import json
from pathlib import Path

import pytest
import torch

from components.artifacts import digest
from components.errors import ArtifactError, ParameterError
from components.modeling.architectures import MADE_ANEW
from components.modeling.checkpoints import (
    load_classifier,
    load_language_model,
    load_tokenizer,
    random_classifier,
    save_checkpoint,
)
from tests.small_checkpoints import small_checkpoint, small_model

LABELS = ["blue", "red"]


@pytest.mark.parametrize("architecture", MADE_ANEW)
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
    loaded = load_language_model(str(folder), "mlm", load_tokenizer(folder))
    save_checkpoint(loaded.model, tokenizer_folder, again)
    assert str(tmp_path) not in (again / "config.json").read_text()
    assert digest(folder) == digest(again)


def test_a_checkpoint_that_cannot_be_found_is_a_one_line_error(
    tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ParameterError, match=r"pretrain.init_from: cannot load 'someone/nothing'") as caught:
        load_language_model("someone/nothing", "mlm", load_tokenizer(tokenizer_folder))
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(ParameterError, match="cannot load"):
        load_language_model(str(tmp_path), "mlm", load_tokenizer(tokenizer_folder))


def test_a_checkpoint_of_another_objective_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("gpt2", tokenizer_folder, tmp_path / "checkpoint")
    with pytest.raises(ParameterError, match="a gpt2, which does not learn by mlm"):
        load_language_model(str(folder), "mlm", load_tokenizer(folder))


def test_a_checkpoint_with_other_token_ids_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_checkpoint("modernbert", tokenizer_folder, tmp_path / "checkpoint")
    ours = load_tokenizer(tokenizer_folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    first, second = list(vocabulary)[10:12]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="2 tokens have other ids"):
        load_language_model(str(folder), "mlm", ours)
    ours.add_tokens(["newword"])
    with pytest.raises(ArtifactError, match=f"has {len(ours) - 1} token ids, this project's tokenizer {len(ours)}"):
        load_language_model(str(folder), "mlm", ours)


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no tokenizer.json"):
        load_tokenizer(tmp_path)
    with pytest.raises(ArtifactError, match=r"no config.json"):
        load_classifier(tmp_path, LABELS, 0.0)
