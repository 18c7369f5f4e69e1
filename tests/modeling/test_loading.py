"""A model's folder is not trusted: no code of its own, nothing pickled, no weight made up, float32 whatever it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, PreTrainedModel

from components.errors import ArtifactError, LianziError, ParameterError
from components.modeling.checkpoints import (
    load_classifier,
    load_language_model,
    load_tokenizer,
    random_classifier,
    save_checkpoint,
)
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.loading import load_config, load_model, random_model, refuse_code
from components.modeling.loading import load_tokenizer as load_own_tokenizer
from components.tokenization.imported import import_tokenizer
from tests.small_checkpoints import small_checkpoint

LABELS = ["blue", "red"]
Weights = dict[str, torch.Tensor]


@pytest.fixture
def make(tokenizer_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A language model of two layers in a folder."""

    def made(architecture: str = "bert") -> Path:
        return small_checkpoint(architecture, tokenizer_folder, tmp_path / architecture, depth=2)

    return made


def change_weights(folder: Path, by: Callable[[Weights], Weights]) -> None:
    path = folder / "model.safetensors"
    save_file(by(load_file(path)), path, metadata={"format": "pt"})


def change_config(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def narrow(folder: Path, dtype: torch.dtype, key: str) -> None:
    """Save the weights in 16 bits, and say so under one of the keys that transformers has used."""
    change_weights(folder, lambda weights: {name: value.to(dtype) for name, value in weights.items()})
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype", None)
    (folder / "config.json").write_text(json.dumps(config | {key: str(dtype).removeprefix("torch.")}))


def lines_of(refusal: pytest.ExceptionInfo[LianziError]) -> list[str]:
    lines = str(refusal.value).splitlines()
    assert len(lines) == 2
    return lines


def dtypes_of(model: PreTrainedModel) -> set[torch.dtype]:
    return {weight.dtype for weight in model.parameters()}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_master_weights_are_float32_whatever_the_checkpoint_was_saved_in(
    make: Callable[..., Path], dtype: torch.dtype, key: str
) -> None:
    folder = make()
    narrow(folder, dtype, key)
    models = [
        load_language_model(str(folder), load_tokenizer(folder)).model,
        load_classifier(folder, LABELS, 0.1).model,
        random_classifier(folder, LABELS, 0.1),
        load_model(AutoModel, folder, new_heads=True).model,
        random_model(AutoModelForMaskedLM, load_config(folder)),
    ]
    assert [dtypes_of(model) for model in models] == [{torch.float32}] * len(models)
    stored = load_file(folder / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(models[0].get_input_embeddings().weight, stored.float())


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_a_missing_layer_is_refused_by_name(architecture: str, make: Callable[..., Path]) -> None:
    folder = make(architecture)
    change_weights(folder, lambda weights: {name: value for name, value in weights.items() if ".1." not in name})
    with pytest.raises(ParameterError, match=r"pretrain\.init_from: .*: \d+ weights are missing, \S+\.1\.\S+") as one:
        load_language_model(str(folder), load_tokenizer(folder))
    with pytest.raises(ArtifactError, match=r"\d+ weights are missing") as other:
        load_classifier(folder, LABELS, 0.0)
    for refusal in (one, other):
        assert str(folder) in lines_of(refusal)[0]


def test_a_tokenizer_of_no_family_is_its_file_and_nothing_more(make: Callable[..., Path]) -> None:
    folder = make("qwen2")
    assert load_own_tokenizer(folder, str(folder)).get_vocab() == load_tokenizer(folder).get_vocab()


def test_a_missing_head_begins_anew_and_is_named(make: Callable[..., Path]) -> None:
    folder = make()
    change_weights(folder, lambda weights: {name: value for name, value in weights.items() if "cls." not in name})
    loaded = load_language_model(str(folder), load_tokenizer(folder))
    assert loaded.remarks("x") == ["x: cls: not in the checkpoint, begins with random weights"]
    with pytest.raises(ArtifactError, match=r"6 weights are missing, cls\.predictions"):
        load_model(AutoModelForMaskedLM, folder)


def test_a_classifiers_own_head_is_new_and_the_other_is_left_without_a_word(
    make: Callable[..., Path],
) -> None:
    loaded = load_classifier(make(), LABELS, 0.0)
    assert loaded.remarks("x") == ["x: bert.pooler, classifier: not in the checkpoint, begins with random weights"]


def test_a_trained_classifier_has_nothing_new(make: Callable[..., Path], tmp_path: Path) -> None:
    source, folder = make(), tmp_path / "classifier"
    folder.mkdir()
    save_checkpoint(load_classifier(source, LABELS, 0.0).model, source, folder)
    assert load_model(AutoModelForSequenceClassification, folder).remarks("x") == []
    change_weights(folder, lambda weights: {name: value for name, value in weights.items() if "pooler" not in name})
    with pytest.raises(ArtifactError, match=r"2 weights are missing, bert\.pooler\.dense\.bias"):
        load_model(AutoModelForSequenceClassification, folder)


def test_a_weight_of_another_shape_is_refused_by_name(make: Callable[..., Path]) -> None:
    folder, name = make(), "bert.encoder.layer.0.output.dense.weight"
    change_weights(folder, lambda weights: weights | {name: weights[name][:-8].contiguous()})
    with pytest.raises(ParameterError, match=r"1 weights have another shape than config\.json says, bert") as refusal:
        load_language_model(str(folder), load_tokenizer(folder))
    assert lines_of(refusal)[0].endswith(f"{name} the first of them: (120, 512) instead of (128, 512)")


def test_layers_that_the_config_leaves_out_are_told(make: Callable[..., Path]) -> None:
    folder = make()
    change_config(folder / "config.json", num_hidden_layers=1)
    (line,) = load_language_model(str(folder), load_tokenizer(folder)).remarks("x")
    assert line.startswith("x: 16 weights have no place in the model, bert.encoder.layer.1.attention")


def planted(folder: Path, marker: Path, file: str, content: Any) -> None:
    """Code in a model's folder that leaves a mark when it is run."""
    (folder / "own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    change_config(folder / file, auto_map=content)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"AutoConfig": "own.OwnConfig", "AutoModelForMaskedLM": "own.OwnModel"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "own.OwnConfig"]}),
        ("tokenizer_config.json", ["own.OwnConfig", None]),
    ],
)
@pytest.mark.parametrize("model_type", ["bert", "own"])
def test_code_of_its_own_is_refused_by_name_and_never_run(
    file: str, content: Any, model_type: str, make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    folder, marker = make(), tmp_path / "was run"
    tokenizer = load_tokenizer(folder)
    planted(folder, marker, file, content)
    change_config(folder / "config.json", model_type=model_type)
    tries: list[tuple[str, Callable[[], Any]]] = [
        ("pretrain.init_from: ", lambda: load_language_model(str(folder), tokenizer)),
        ("train_tokenizer.from: ", lambda: import_tokenizer(str(folder), [])),
        ("", lambda: load_classifier(folder, LABELS, 0.0)),
        ("", lambda: load_model(AutoModel, folder)),
    ]
    for role, attempt in tries:
        with pytest.raises(LianziError) as refusal:
            attempt()
        assert lines_of(refusal)[0] == (
            f"{role}{folder}: {file} names code of its own (auto_map: own.OwnConfig), which is never run"
        )
    assert not marker.exists()


def test_a_known_model_can_be_loaded_without_its_code(make: Callable[..., Path]) -> None:
    folder = make()
    change_config(folder / "config.json", auto_map={"AutoConfig": "own.OwnConfig"})
    with pytest.raises(ArtifactError) as refusal:
        refuse_code(folder)
    assert lines_of(refusal)[1] == "take auto_map out of config.json to load it as transformers' own bert"


def test_pickled_weights_are_refused_and_never_opened(make: Callable[..., Path], tmp_path: Path) -> None:
    folder, marker = make(), tmp_path / "was run"
    model = load_model(AutoModelForMaskedLM, folder).model
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ParameterError, match=r"pretrain\.init_from: .*pytorch_model\.bin: pickled weights") as refusal:
        load_language_model(str(folder), load_tokenizer(folder))
    assert "save_pretrained" in lines_of(refusal)[1]
    (folder / "pytorch_model.bin").write_text(f"cbuiltins\nopen\n(S'{marker}'\nS'w'\ntR.")
    with pytest.raises(ArtifactError, match="pickled weights"):
        load_classifier(folder, LABELS, 0.0)
    assert not marker.exists()


def test_an_adapter_is_refused_and_what_it_names_is_not_loaded(make: Callable[..., Path]) -> None:
    folder = make()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "someone/else"}))
    with pytest.raises(ParameterError, match=r"adapter_config\.json: an adapter, which is not") as refusal:
        load_language_model(str(folder), load_tokenizer(folder))
    assert "merge_and_unload" in lines_of(refusal)[1]


def test_a_config_that_is_no_json_is_refused(make: Callable[..., Path]) -> None:
    folder = make()
    for text in ("{", "[]"):
        (folder / "config.json").write_text(text)
        with pytest.raises(ArtifactError) as refusal:
            load_config(folder)
        lines_of(refusal)
