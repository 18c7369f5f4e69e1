from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AlbertConfig, AutoModelForSequenceClassification, BertConfig, PreTrainedModel, T5Config

from components.errors import ArtifactError
from components.modeling.architectures import build_language_model, layers_of
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.pruning import KeptUnits, ModelSizes, select_units
from components.modeling.students import build_student, depths_of, map_layers, map_stacks, sizes, student_config
from components.params import Params
from components.training.config import DistillConfig
from tests.small_families import FAMILIES, family_checkpoint

ALL = KeptUnits()
TEACHER = BertConfig(num_hidden_layers=6, hidden_size=384, num_attention_heads=12, intermediate_size=1536)
"""MiniLM's shape."""
WHOLE = {"depth_fraction": 1.0, "width_fraction": 1.0, "ffn_fraction": 1.0, "head_fraction": 1.0, "min_token_count": 0}


def test_a_student_of_two_stacks_has_a_share_of_each() -> None:
    teacher = T5Config(num_layers=4, num_decoder_layers=3)
    assert depths_of(teacher) == [4, 3]
    layers = map_stacks([4, 3], 0.5)
    assert (layers.copied, layers.imitated) == ((0, 2, 4, 5), (1, 3, 4, 6))
    config = student_config(teacher, layers, ModelSizes.of(teacher))
    assert (config.num_layers, config.num_decoder_layers) == (2, 2)


def changed(params: Params, **changes: float) -> DistillConfig:
    return DistillConfig.model_validate({**params.distill.model_dump(), **changes})


def test_a_student_is_tried_as_asked_then_halfway_to_its_teacher(params: Params) -> None:
    half = {"depth_fraction": 0.5, "width_fraction": 0.5, "ffn_fraction": 0.5, "min_token_count": 10}
    asked, halfway = sizes(TEACHER, changed(params, **half))
    assert (asked.name, asked.shape) == ("asked", (3, ModelSizes(192, 768, 6), 10))
    assert (halfway.name, halfway.shape) == ("halfway", (5, ModelSizes(288, 1152, 9), 0))


def test_a_whole_student_is_tried_where_it_learns_to_bear_rounding(params: Params) -> None:
    assert sizes(TEACHER, changed(params, **WHOLE)) == []
    whole = sizes(TEACHER, changed(params, **WHOLE, quantization_aware=0.2))
    assert [size.shape for size in whole] == [(6, ModelSizes.of(TEACHER), 0)]
    three = sizes(TEACHER, changed(params, **{**WHOLE, "ffn_fraction": 0.5}, quantization_aware=0.2))
    assert [size.name for size in three] == ["asked", "halfway", "whole"]


def test_a_student_with_fewer_tokens_is_smaller_than_its_teacher(params: Params) -> None:
    (asked,) = sizes(TEACHER, changed(params, **{**WHOLE, "min_token_count": 5}))
    assert asked.shape == (6, ModelSizes.of(TEACHER), 5)


def test_two_sizes_that_round_to_the_same_are_one(params: Params) -> None:
    small = BertConfig(num_hidden_layers=1, hidden_size=64, num_attention_heads=1, intermediate_size=16)
    (asked,) = sizes(small, changed(params, **{**WHOLE, "ffn_fraction": 0.5}))
    assert asked.shape == (1, ModelSizes(64, 8, 1), 0)


def test_a_teacher_of_an_architecture_without_a_file_is_refused_in_a_line(params: Params) -> None:
    with pytest.raises(ArtifactError, match="a checkpoint of the architecture albert cannot be trained here"):
        sizes(AlbertConfig(num_hidden_layers=2), changed(params, **WHOLE))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_made_as_small_as_its_kind_allows(name: str, tmp_path: Path, params: Params) -> None:
    teacher = random_classifier(family_checkpoint(name, tmp_path / name), ["a", "b"], 0.0).eval()
    assert sizes(teacher.config, changed(params, **WHOLE)) == []
    width = 1.0 if name in ("mpnet", "xlnet") else 0.5
    shares = {"depth_fraction": 0.5, "width_fraction": width, "ffn_fraction": 0.5, "head_fraction": 1.0}
    asked = sizes(teacher.config, changed(params, **shares))[0]
    ids = torch.tensor([[5, 20, 30, 40]])

    def losses(model: PreTrainedModel) -> Iterator[torch.Tensor]:
        yield cross_entropy(model(ids).logits, torch.tensor([1]))

    student = build_student(teacher, asked.layers, select_units(teacher, losses, asked.pruned), 0.0).eval()
    assert len(layers_of(student)) == 1
    assert ModelSizes.of(student.config) == asked.pruned
    student.save_pretrained(tmp_path / "student")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").eval()
    assert student(ids).logits.isfinite().all()
    torch.testing.assert_close(again(ids).logits, student(ids).logits)


@pytest.mark.parametrize(
    ("depth", "fraction", "copied", "imitated"),
    [
        (2, 0.5, (0,), (1,)),
        (3, 0.5, (0, 1), (0, 2)),
        (4, 0.5, (0, 2), (1, 3)),
        (12, 0.25, (0, 4, 8), (3, 7, 11)),
        (1, 0.1, (0,), (0,)),
        (3, 1.0, (0, 1, 2), (0, 1, 2)),
    ],
)
def test_each_student_layer_stands_for_a_block_of_the_teachers(
    depth: int, fraction: float, copied: tuple[int, ...], imitated: tuple[int, ...]
) -> None:
    layers = map_layers(depth, fraction)
    assert (layers.copied, layers.imitated) == (copied, imitated)


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_a_student_as_deep_as_its_teacher_answers_like_it(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 2, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, tmp_path)
    teacher = random_classifier(tmp_path, ["a", "b"], 0.0).eval()
    ids = torch.tensor([[1, 20, 30, 2]])
    twin = build_student(teacher, map_layers(2, 1.0), ALL, 0.0).eval()
    torch.testing.assert_close(twin(ids).logits, teacher(ids).logits)
    half = build_student(teacher, map_layers(2, 0.5), ALL, 0.2)
    assert len(layers_of(half)) == half.config.num_hidden_layers == 1
    assert torch.equal(half.get_input_embeddings().weight, teacher.get_input_embeddings().weight)


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK and one != "xlnet"])
def test_a_narrower_student_is_saved_and_loaded(architecture: str, tokenizer_folder: Path, tmp_path: Path) -> None:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 2, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, tmp_path)
    teacher = random_classifier(tmp_path, ["a", "b"], 0.0).eval()
    neurons, head = [torch.arange(0, 64), torch.arange(8, 72)], [torch.tensor([1])] * 2
    kept = KeptUnits(neurons, head, torch.arange(1, 128, 2))
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0).eval()
    student.save_pretrained(tmp_path / "student")
    ids = torch.tensor([[1, 20, 30, 2]])
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").eval()
    torch.testing.assert_close(again(ids).logits, student(ids).logits)
    assert again.num_parameters() < teacher.num_parameters()
