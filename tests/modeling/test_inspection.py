"""components.modeling.inspection: what a checkpoint is, and what cannot be gone on from, told in two lines."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from components.errors import LianziError
from components.modeling.inspection import check_start, inspect
from components.params import Params
from tests.small_families import FAMILIES, family_checkpoint
from tests.small_language_models import small_model_folder
from tests.small_params import objective


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of each family, not to be changed."""
    folder = tmp_path_factory.mktemp("families")
    for name in FAMILIES:
        family_checkpoint(name, folder / name)
    return folder


@pytest.fixture
def bert(checkpoints: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoints / "bert", tmp_path / "bert"))


WHOLE = {"depth_fraction": 1.0, "width_fraction": 1.0, "ffn_fraction": 1.0, "head_fraction": 1.0, "min_token_count": 0}


def starting_from(params: Params, folder: Path, **pretrain: Any) -> Params:
    """The parameters that ship, with this checkpoint."""
    changes: dict[str, Any] = {"init_from": str(folder), "steps": 0, "objective": objective("mlm"), **pretrain}
    tasks = {name: task.model_copy(update={"max_length": 40}) for name, task in params.tasks.items()}
    config = folder / "config.json"
    family = json.loads(config.read_text())["model_type"].replace("-", "_") if config.is_file() else "bert"
    tokenizer = params.train_tokenizer.model_copy(update={"imported": str(folder)})
    return params.model_copy(
        update={
            "tasks": tasks,
            "train_tokenizer": tokenizer,
            "model": params.model.model_copy(update={"architecture": family}),
            "pretrain": params.pretrain.model_copy(update=changes),
            "distill": params.distill.model_copy(update=WHOLE),
        }
    )


def refused(params: Params) -> str:
    with pytest.raises(LianziError) as caught:
        check_start(params)
    message = str(caught.value)
    assert len(message.splitlines()) == 2
    return message


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_known_by_its_files(checkpoints: Path, params: Params, name: str) -> None:
    found = inspect(str(checkpoints / name))
    assert found.config.model_type == name
    assert found.positions == (sys.maxsize if name == "xlnet" else 40)
    assert found.rows == len(found.tokens) + FAMILIES[name].spare
    assert found.new == ("the classifier of each task",)
    fitting = objective("permutation_lm" if name == "xlnet" else "clm" if FAMILIES[name].causal else "mlm")
    assert check_start(starting_from(params, checkpoints / name, objective=fitting)) == found


def test_without_a_checkpoint_there_is_nothing_to_look_at(params: Params) -> None:
    assert check_start(params) is None


def test_a_backbone_alone_lacks_the_vocabulary_head_too(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    backbone = {name.removeprefix("bert."): value for name, value in weights.items() if name.startswith("bert.")}
    save_file(backbone | {"pooler.dense.weight": torch.ones(32, 32)}, bert / "model.safetensors", {"format": "pt"})
    found = inspect(str(bert))
    assert found.new == ("the classifier of each task", "the vocabulary head")
    assert found.pooling == "the first token, through the pretrained pooler"


def test_names_of_the_first_checkpoints_are_understood(bert: Path) -> None:
    old = {"weight": "gamma", "bias": "beta"}

    def first(name: str) -> str:
        start, _, last = name.rpartition(".")
        return f"{start}.{old[last]}" if start.endswith("LayerNorm") else name

    weights = {first(name): value for name, value in load_file(bert / "model.safetensors").items()}
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    assert inspect(str(bert)).config.model_type == "bert"


def test_an_unknown_family_is_refused(bert: Path, params: Params) -> None:
    change(bert / "config.json", model_type="albert")
    assert "is a albert: it cannot be trained here" in refused(starting_from(params, bert))


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_an_encoder_decoder_lacks_no_head(name: str, tmp_path: Path, tokenizer_folder: Path) -> None:
    found = inspect(str(small_model_folder(tmp_path / name, name, tokenizer_folder)))
    assert (found.config.model_type, found.rows, found.new) == (name, 330, ())


def test_code_of_its_own_is_refused(bert: Path, params: Params) -> None:
    change(bert / "config.json", auto_map={"AutoModel": "modeling_x.XModel"})
    assert "never run" in refused(starting_from(params, bert))


def test_pickled_weights_are_refused(bert: Path, params: Params) -> None:
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    assert "pickled weights" in refused(starting_from(params, bert))


def test_a_file_cut_short_is_refused(bert: Path, params: Params) -> None:
    path = bert / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in refused(starting_from(params, bert))


def test_a_missing_shard_is_refused(checkpoints: Path, params: Params, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoints / "llama", tmp_path / "llama"))
    sorted(folder.glob("model-*.safetensors"))[1].unlink()
    assert "missing, though model.safetensors.index.json names it" in refused(
        starting_from(params, folder, objective=objective("clm"))
    )


def test_weights_of_another_shape_are_refused(bert: Path, params: Params) -> None:
    change(bert / "config.json", intermediate_size=96)
    message = refused(starting_from(params, bert))
    assert "encoder.layer.0.intermediate.dense.weight" in message
    assert "(64, 32) instead of (96, 32)" in message


def test_missing_weights_are_refused(bert: Path, params: Params) -> None:
    change(bert / "config.json", num_hidden_layers=3)
    assert "16 of 53 weights are missing, encoder.layer.2" in refused(starting_from(params, bert))


def test_a_width_that_no_model_can_have_is_refused(bert: Path, params: Params) -> None:
    change(bert / "config.json", num_attention_heads=5)
    assert "config.json describes no model" in refused(starting_from(params, bert))


def test_a_tokenizer_larger_than_the_model_is_refused(bert: Path, checkpoints: Path, params: Params) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoints / "gpt2" / name, bert)
    assert "the tokenizer has 330 tokens, the model rows for 129" in refused(starting_from(params, bert))


def test_another_models_tokenizer_is_refused(bert: Path, checkpoints: Path, params: Params) -> None:
    taken = starting_from(params, bert)
    other = taken.train_tokenizer.model_copy(update={"imported": str(checkpoints / "mpnet")})
    message = refused(taken.model_copy(update={"train_tokenizer": other}))
    assert "under their ids, '[UNK]' the first of them" in message


def test_a_folder_without_a_tokenizer_is_refused(bert: Path, params: Params) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bert / name).unlink()
    assert "no tokenizer here" in refused(starting_from(params, bert))


def test_a_task_longer_than_the_positions_is_refused(checkpoints: Path, params: Params) -> None:
    """RoBERTa's positions begin behind that of padding: of 42, 40 are for tokens."""
    taken = starting_from(params, checkpoints / "roberta")
    tasks = {"topic": params.tasks["topic"].model_copy(update={"max_length": 41})}
    message = refused(taken.model_copy(update={"tasks": tasks}))
    assert message.startswith("tasks.topic.max_length 41 is longer than")
    assert "reads (40 tokens)" in message


def test_windows_longer_than_the_positions_are_refused_where_it_is_trained(bert: Path, params: Params) -> None:
    assert "pretrain.sequence_length 96" in refused(starting_from(params, bert, steps=2))


def test_another_objective_is_refused(bert: Path, params: Params) -> None:
    assert "clm does not fit model.architecture bert" in refused(
        starting_from(params, bert, objective=objective("clm"))
    )


def test_another_architecture_is_refused(bert: Path, params: Params) -> None:
    started = starting_from(params, bert)
    other = started.model_copy(update={"model": started.model.model_copy(update={"architecture": "roberta"})})
    assert "is a bert, but model.architecture is roberta" in refused(other)


def test_a_student_that_the_family_cannot_have_is_refused(checkpoints: Path, params: Params) -> None:
    start = starting_from(params, checkpoints / "mpnet")
    narrow = start.model_copy(update={"distill": start.distill.model_copy(update={"width_fraction": 0.5})})
    assert "distill.width_fraction 0.5: a mpnet cannot be made narrower in this way" in refused(narrow)


def test_a_name_without_a_commit_is_refused(params: Params) -> None:
    assert "no hub name with its commit" in refused(starting_from(params, Path("owner/name")))
