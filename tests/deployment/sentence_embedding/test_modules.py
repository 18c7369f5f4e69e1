from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.deployment.sentence_embedding.modules import Dense, Normalize, Pooling, read_modules, step_name
from components.errors import ArtifactError
from tests.models_from_elsewhere import change, sentence_folder, write


@pytest.fixture
def folder(tmp_path: Path, tokenizer_folder: Path) -> Path:
    return sentence_folder(
        tmp_path / "model",
        tokenizer_folder,
        pooling=("cls", "mean"),
        dense="torch.nn.modules.activation.Tanh",
        max_seq_length=48,
        do_lower_case=True,
        prompts={"query": "query: ", "document": ""},
        default_prompt_name="query",
    )


def test_every_setting_of_a_folder_is_read(folder: Path) -> None:
    found = read_modules(folder)
    assert found.transformer == folder
    assert [step_name(step) for step in found.steps] == ["cls + mean pooling", "Dense 48 Tanh", "Normalize"]
    assert found.steps[1] == Dense(folder / "2_Dense/model.safetensors", 128, 48, True, "Tanh")
    assert (found.max_length, found.lowercase, found.prompt) == (48, True, "query: ")
    assert found.prompts == {"query": "query: "}


def test_a_folder_without_modules_makes_the_mean_of_length_1(folder: Path) -> None:
    (folder / "modules.json").unlink()
    assert read_modules(folder).steps == (Pooling(("mean",)), Normalize())


def test_later_versions_write_pooling_as_a_name_or_a_list(folder: Path) -> None:
    write(folder / "1_Pooling/config.json", {"embedding_dimension": 64, "pooling_mode": "lasttoken"})
    write(folder / "2_Dense/config.json", {"in_features": 128, "out_features": 48})
    assert read_modules(folder).steps[0] == Pooling(("lasttoken",))
    write(folder / "1_Pooling/config.json", {"embedding_dimension": 64, "pooling_mode": ["max", "cls"]})
    assert read_modules(folder).steps[0] == Pooling(("max", "cls"))


def test_dropout_does_nothing_and_normalize_needs_no_folder(folder: Path) -> None:
    write(
        folder / "modules.json",
        [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
            {"type": "sentence_transformers.models.Dropout", "path": "5_Dropout"},
            {"type": "sentence_transformers.models.Normalize", "path": "6_Normalize"},
        ],
    )
    assert read_modules(folder).steps == (Pooling(("cls", "mean")), Normalize())


def test_the_transformer_may_lie_in_a_folder_below(folder: Path) -> None:
    (folder / "0_Transformer").mkdir()
    write(folder / "0_Transformer/sentence_roberta_config.json", {"max_seq_length": 7})
    listed = [{"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}]
    write(folder / "modules.json", [*listed, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])
    found = read_modules(folder)
    assert (found.transformer, found.max_length) == (folder / "0_Transformer", 7)


@pytest.mark.parametrize(
    ("file", "values", "told"),
    [
        ("1_Pooling/config.json", {"include_prompt": False}, "include_prompt false leaves the prompt out"),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "the pooling kind attention"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.PReLU"}, "the activation torch"),
        ("2_Dense/config.json", {"activation_function": "own.Swish"}, r"the activation own\.Swish"),
        ("2_Dense/config.json", {"use_residual": True}, "use_residual"),
        ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "module_input_name token_embeddings"),
        ("2_Dense/config.json", {"in_features": 64}, r"linear\.weight: \(48, 128\) instead of \(48, 64\)"),
        ("3_Normalize/config.json", {"module_input_name": "token_embeddings"}, "module_input_name token_embeddings"),
        ("sentence_bert_config.json", {"max_seq_length": "long"}, "max_seq_length is to be a number"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "transformer_task fill-mask"),
        ("sentence_bert_config.json", {"config_kwargs": {"num_hidden_layers": 2}}, r"config_kwargs\.num_hidden_layers"),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"padding": "x"}}}, "processing_kwargs"),
        (
            "sentence_bert_config.json",
            {"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}},
            "its modality_config",
        ),
        ("config_sentence_transformers.json", {"default_prompt_name": "passage"}, "'passage' is not among its prompts"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "model_type SparseEncoder"),
        ("config_sentence_transformers.json", {"prompts": {"query": 5}}, "prompts is to be a text for each name"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_refused_by_name(
    folder: Path, file: str, values: dict[str, Any], told: str
) -> None:
    change(folder / file, **values)
    with pytest.raises(ArtifactError, match=told) as caught:
        read_modules(folder)
    assert str(folder / Path(file).parts[0]) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["sentence_transformers.models.WordEmbeddings"], "the module WordEmbeddings cannot be put into a bundle"),
        (["own_model.Transformer"], r"own_model\.Transformer is code of its own, which is never run"),
        (["sentence_transformers.models.Pooling"], "does not begin with its only Transformer"),
        (["sentence_transformers.models.Transformer"], "without one Pooling"),
        (["sentence_transformers.models.Transformer", "sentence_transformers.models.Normalize"], "without one Pooling"),
    ],
)
def test_a_module_that_is_not_known_is_refused_by_name(folder: Path, kinds: list[str], told: str) -> None:
    write(folder / "modules.json", [{"type": kind, "path": ""} for kind in kinds])
    with pytest.raises(ArtifactError, match=told):
        read_modules(folder)


def test_pickled_weights_a_missing_file_and_a_path_outside_are_refused(folder: Path) -> None:
    weights = folder / "2_Dense/model.safetensors"
    weights.rename(folder / "2_Dense/pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin: pickled weights run code"):
        read_modules(folder)
    (folder / "2_Dense/pytorch_model.bin").unlink()
    with pytest.raises(ArtifactError, match=r"model\.safetensors: no such file"):
        read_modules(folder)
    weights.write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match=r"2_Dense/model\.safetensors: "):
        read_modules(folder)
    (folder / "1_Pooling/config.json").unlink()
    with pytest.raises(ArtifactError, match=r"1_Pooling/config\.json: no such file, and modules\.json names it"):
        read_modules(folder)
    write(folder / "modules.json", [{"type": "sentence_transformers.models.Transformer", "path": "../elsewhere"}])
    with pytest.raises(ArtifactError, match="leads out of the folder"):
        read_modules(folder)


@pytest.mark.parametrize("content", ["{", "{}", "[]", '[{"type": 5}]'])
def test_modules_that_are_no_list_of_modules_are_refused(folder: Path, content: str) -> None:
    (folder / "modules.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"modules\.json: not "):
        read_modules(folder)
