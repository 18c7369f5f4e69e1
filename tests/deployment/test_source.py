from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from components.deployment.source import load_weights, read_source
from components.errors import ArtifactError


@pytest.fixture
def folder(decoder_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(decoder_bundle.parent / "gpt2", tmp_path / "model")
    return tmp_path / "model"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_forms_are_told_by_the_head(decoder_bundle: Path, encoder_decoder_bundle: Path, embedding_bundle: Path) -> None:
    folders = (
        decoder_bundle.parent / "gpt2",
        encoder_decoder_bundle.parent / "t5",
        embedding_bundle.parent / "modernbert",
    )
    assert [read_source(folder).form for folder in folders] == ["decoder", "encoder-decoder", "encoder"]


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no model.safetensors"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_what_a_folder_lacks_is_named(folder: Path, missing: str, told: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ArtifactError, match=told):
        read_source(folder)


def test_pickled_weights_are_refused_and_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin: pickled weights run code") as caught:
        read_source(folder)
    assert "save_pretrained" in caught.value.hint


def test_a_head_that_is_none_of_these_is_refused(folder: Path) -> None:
    change(folder / "config.json", architectures=["GPT2ForQuestionAnswering"])
    with pytest.raises(ArtifactError, match="GPT2ForQuestionAnswering neither generates, encodes nor classifies text"):
        read_source(folder)


def test_code_of_its_own_is_refused_before_anything_else(folder: Path) -> None:
    change(folder / "config.json", auto_map={"AutoModelForCausalLM": "own.OwnModel"})
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"config\.json names code of its own \(auto_map: own\.OwnModel\)"):
        read_source(folder)


def test_layers_that_the_config_leaves_out_are_told(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights |= {name.replace(".h.0.", ".h.7."): value.clone() for name, value in weights.items() if ".h.0." in name}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    told: list[str] = []
    load_weights(read_source(folder), told.append)
    assert len(told) == 1
    assert "weights have no place in the model, transformer.h.7" in told[0]


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    change(folder / "config.json", model_type="gpt17")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        read_source(folder)


def test_a_missing_weight_is_named_and_not_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.0.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ArtifactError, match=r"1 weights are missing, transformer\.h\.0\.mlp\.c_fc\.weight"):
        load_weights(read_source(folder), print)


def test_damaged_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        load_weights(read_source(folder), print)


def test_the_length_is_the_least_of_positions_window_and_tokenizer(folder: Path) -> None:
    assert read_source(folder).length == 64
    change(folder / "config.json", sliding_window=48)
    assert read_source(folder).length == 48
    change(folder / "tokenizer_config.json", model_max_length=32)
    assert read_source(folder).length == 32


def test_a_template_in_a_file_of_its_own_is_found(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert read_source(folder).tokenizer_config["chat_template"] == "{{ messages }}"
