import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig

from components.errors import ArtifactError, ParameterError
from components.modeling.architectures import (
    LANGUAGE_MODELS,
    architecture,
    architecture_name,
    architecture_of,
    build_language_model,
    head_of,
    layers_of,
)
from components.modeling.architectures.architecture import Architecture
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import ModelConfig
from components.modeling.kinds import ARCHITECTURES, FIXED_WIDTH, FROM_SCRATCH, INDEPENDENT_HEADS, ONE_STACK


def model_section(architecture: str, depth: int = 2) -> ModelConfig:
    return ModelConfig.model_validate({"architecture": architecture, "depth": depth, "width": None, "max_length": 64})


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_depth_is_the_only_dial_that_has_to_be_set(name: str, tokenizer_folder: Path) -> None:
    model = build_language_model(model_section(name, depth=3), load_tokenizer(tokenizer_folder), 32)
    assert len(layers_of(model)) == (3 if name in ONE_STACK else 6)
    assert model.config.hidden_size == 192
    assert model.config.num_attention_heads == 3


def test_a_width_of_its_own_takes_the_place_of_the_depths(tokenizer_folder: Path) -> None:
    section = model_section("modernbert", depth=1).model_copy(update={"width": 128})
    model = build_language_model(section, load_tokenizer(tokenizer_folder), 32)
    assert (len(layers_of(model)), model.config.hidden_size, model.config.num_attention_heads) == (1, 128, 2)


@pytest.mark.parametrize("name", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_vocabulary_logits_are_those_of_the_whole_model(name: str, tokenizer_folder: Path) -> None:
    model = build_language_model(model_section(name), load_tokenizer(tokenizer_folder), 32).eval()
    ids = torch.arange(4, 36).reshape(2, 16)
    with torch.no_grad():
        hidden = model.base_model(input_ids=ids).last_hidden_state
        logits = head_of(model)(architecture_of(model.config).before_head(model, hidden))
        torch.testing.assert_close(logits, model(ids).logits)


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_input_and_output_embeddings_are_one_matrix(name: str, tokenizer_folder: Path) -> None:
    model = build_language_model(model_section(name), load_tokenizer(tokenizer_folder), 32)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_name_of_the_table_is_a_file_and_a_model_type_of_transformers(name: str) -> None:
    assert isinstance(architecture(name), Architecture)
    assert architecture(name).language_model in LANGUAGE_MODELS
    assert architecture_name(AutoConfig.for_model(name.replace("_", "-"))) == name


def test_those_made_with_random_weights_are_those_that_have_a_config() -> None:
    assert [name for name in ARCHITECTURES if architecture(name).config is not None] == list(FROM_SCRATCH)


def test_the_tables_say_what_the_files_say() -> None:
    entries = {name: architecture(name) for name in FROM_SCRATCH if name in ONE_STACK}
    assert [name for name, entry in entries.items() if entry.heads is None] == list(FIXED_WIDTH)
    assert [name for name, entry in entries.items() if entry.independent_heads] == list(INDEPENDENT_HEADS)


def test_no_architecture_is_imported_before_it_is_asked_for() -> None:
    told = "import sys, components.modeling.architectures; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", told], text=True).split()
    assert not {f"components.modeling.architectures.{name}" for name in ARCHITECTURES} & set(loaded)


def test_windows_longer_than_the_model_are_refused(tokenizer_folder: Path) -> None:
    with pytest.raises(ParameterError, match="sequence_length 65 is longer"):
        build_language_model(model_section("modernbert"), load_tokenizer(tokenizer_folder), 65)


def test_an_unknown_checkpoint_type_is_refused() -> None:
    from transformers import BloomConfig

    with pytest.raises(ArtifactError, match="architecture bloom"):
        architecture_of(BloomConfig())
