from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from components.modeling.architectures import ARCHITECTURES, build_language_model, layers_of
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.pruning import Kept
from components.modeling.students import build_student, map_layers
from components.params import ModelConfig

ALL = Kept()


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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_student_as_deep_as_its_teacher_answers_like_it(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 2, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, tmp_path)
    teacher = random_classifier(tmp_path, ["a", "b"], 0.0).eval()
    ids = torch.tensor([[1, 20, 30, 2]])
    twin = build_student(teacher, map_layers(2, 1.0), ALL, 0.0).eval()
    torch.testing.assert_close(twin(ids).logits, teacher(ids).logits)
    half = build_student(teacher, map_layers(2, 0.5), ALL, 0.2)
    assert len(layers_of(half)) == half.config.num_hidden_layers == 1
    assert torch.equal(half.get_input_embeddings().weight, teacher.get_input_embeddings().weight)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_narrower_student_is_saved_and_loaded(architecture: str, tokenizer_folder: Path, tmp_path: Path) -> None:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 2, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, tmp_path)
    teacher = random_classifier(tmp_path, ["a", "b"], 0.0).eval()
    neurons, head = [torch.arange(0, 64), torch.arange(8, 72)], [torch.tensor([1])] * 2
    kept = Kept(neurons, head, torch.arange(1, 128, 2))
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0).eval()
    student.save_pretrained(tmp_path / "student")
    ids = torch.tensor([[1, 20, 30, 2]])
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").eval()
    torch.testing.assert_close(again(ids).logits, student(ids).logits)
    assert again.num_parameters() < teacher.num_parameters()
