"""A student: its sizes, the teacher layers it copies, and the teacher layers whose output it imitates.

One of another architecture copies nothing: it has its teacher's tokens and labels.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from components.modeling.architectures import architecture, architecture_of, layers_of, vocabulary_of
from components.modeling.checkpoints import set_task
from components.modeling.config import HEAD_DIM, ModelConfig
from components.modeling.heads import auto_model
from components.modeling.kinds import SAME
from components.modeling.loading import random_model
from components.modeling.pruning import KeptUnits, ModelSizes, fit_channels, narrow_config, narrow_weights, pruned_sizes
from components.training.config import DistillConfig

if TYPE_CHECKING:
    from components.training.task_data import TaskData


@dataclass(frozen=True)
class LayerMap:
    """Teacher layers cut into as many even blocks as the student has layers.

    A student layer starts as a copy of its block's first layer (Sanh 2019, DistilBERT) and learns to give the
    output of its block's last one (Jiao 2020, TinyBERT). Layers count from 0.
    """

    copied: tuple[int, ...]
    imitated: tuple[int, ...]


def map_layers(teacher_depth: int, depth_fraction: float) -> LayerMap:
    """Blocks for a student of `depth_fraction` of the teacher's layers, rounded up."""
    depth = max(1, math.ceil(teacher_depth * depth_fraction))
    bounds = [index * teacher_depth // depth for index in range(depth + 1)]
    return LayerMap(tuple(bounds[:-1]), tuple(bound - 1 for bound in bounds[1:]))


def map_stacks(depths: Sequence[int], depth_fraction: float) -> LayerMap:
    """The same of an encoder's layers and of a decoder's, which count on behind them."""
    copied: list[int] = []
    imitated: list[int] = []
    for number, depth in enumerate(depths):
        before, stack = sum(depths[:number]), map_layers(depth, depth_fraction)
        copied += [before + index for index in stack.copied]
        imitated += [before + index for index in stack.imitated]
    return LayerMap(tuple(copied), tuple(imitated))


def depths_of(config: PreTrainedConfig) -> list[int]:
    """Layers of a model, of an encoder-decoder those of either half."""
    decoder = architecture_of(config).decoder
    return [config.num_hidden_layers, *([] if decoder is None else [getattr(config, decoder.depth)])]


@dataclass(frozen=True)
class Size:
    """A student that may be tried. min_token_count: as in DistillConfig, 0 keeps the whole vocabulary."""

    name: str
    layers: LayerMap
    pruned: ModelSizes
    min_token_count: int

    @property
    def shape(self) -> tuple[int, ModelSizes, int]:
        """What two sizes are compared by."""
        return len(self.layers.copied), self.pruned, self.min_token_count


def sizes(teacher: PreTrainedConfig, config: DistillConfig) -> list[Size]:
    """The students to try, one after another while the one before loses too much: as asked, halfway to whole, whole.

    A whole copy starts as its teacher and has nothing new to learn from it but to bear the rounding of int8: without
    that it is left out, and the teacher itself takes its place (decision 36). The list is then empty where a whole
    student was asked for. Raises ParameterError where the teacher cannot be made smaller in the way asked for.
    """
    asked = _size("asked", teacher, config, 0.0, config.min_token_count)
    whole = _size("whole", teacher, config, 1.0, 0)
    found: list[Size] = []
    for size in (asked, _size("halfway", teacher, config, 0.5, 0), whole):
        told_apart = size.shape not in [one.shape for one in found]
        if told_apart and (size.shape != whole.shape or config.quantization_aware or config.architecture != SAME):
            found.append(size)
    return found


def _size(name: str, teacher: PreTrainedConfig, config: DistillConfig, way: float, min_token_count: int) -> Size:
    """A student on the `way` from what is asked for, 0, to the whole, 1."""
    depth, width, ffn, heads = (
        fraction + (1 - fraction) * way
        for fraction in (config.depth_fraction, config.width_fraction, config.ffn_fraction, config.head_fraction)
    )
    layers = map_stacks(depths_of(teacher), depth)
    if config.architecture != SAME:
        heads_alike = math.ceil(teacher.hidden_size * width / HEAD_DIM)
        return Size(name, layers, ModelSizes(HEAD_DIM * heads_alike, 0, heads_alike), min_token_count)
    return Size(name, layers, pruned_sizes(teacher, width, ffn, heads), min_token_count)


def student_config(teacher: PreTrainedConfig, layers: LayerMap, pruned: ModelSizes) -> PreTrainedConfig:
    """The teacher's config with fewer and narrower layers."""
    config = copy.deepcopy(teacher)
    depth, decoder = teacher.num_hidden_layers, architecture_of(teacher).decoder
    config.num_hidden_layers = sum(index < depth for index in layers.copied)
    if decoder is not None:
        setattr(config, decoder.depth, sum(index >= depth for index in layers.copied))
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[index] for index in layers.copied]
    narrow_config(config, pruned)
    return config


def new_student(name: str, teacher: PreTrainedConfig, size: Size, data: TaskData, dropout: float) -> PreTrainedModel:
    """A student of another architecture with random weights (torch's global generator), over its teacher's tokens."""
    config = new_student_config(name, teacher, size, data)
    set_task(config, data.task.labels, dropout, data.task.head)
    return random_model(auto_model(data.task.head, config), config)


def new_student_config(name: str, teacher: PreTrainedConfig, size: Size, data: TaskData) -> PreTrainedConfig:
    """Its sizes; it reads no more tokens than the task's rows have."""
    entry, encoder = architecture(name), depths_of(teacher)[0]
    assert entry.config is not None  # DistillConfig allows no other
    section = ModelConfig.model_validate(
        {
            "architecture": name,
            "depth": sum(index < encoder for index in size.layers.copied),
            "width": size.pruned.width,
            "max_length": data.max_length,
        }
    )
    config = entry.config(section, vocabulary_of(data.tokenizer))
    config.vocab_size = teacher.vocab_size  # rows behind the tokens too: answers over tokens are compared one by one
    return config


def build_student(
    teacher: PreTrainedModel, layers: LayerMap, kept: KeptUnits, dropout: float, head: str = "sequence"
) -> PreTrainedModel:
    """A student with pruned copies of some of the teacher's layers and of all its other tensors.

    `head`: the teacher's.
    """
    config = student_config(teacher.config, layers, kept.sizes(teacher.config))
    for name in (*architecture_of(config).dropouts, *(["classifier_dropout"] if head in ("spans", "tokens") else [])):
        setattr(config, name, dropout)
    student = random_model(auto_model(head, config), config)
    stacked = {id(layer) for layer in layers_of(teacher)}
    with torch.no_grad():
        _copy_outside(teacher, student, stacked, kept)
        for target, index in zip(layers_of(student), layers.copied, strict=True):
            weights = narrow_weights(teacher.config, layers_of(teacher)[index].state_dict(), kept, index)
            target.load_state_dict(fit_channels(weights, target, kept))
    return student


def _copy_outside(teacher: PreTrainedModel, student: PreTrainedModel, layers: set[int], kept: KeptUnits) -> None:
    """Copy every tensor outside the layers, pruned."""
    inside = {
        f"{name}.{inner}"
        for name, module in teacher.named_modules()
        if id(module) in layers
        for inner in module.state_dict()
    }
    outside = {name: tensor for name, tensor in teacher.state_dict().items() if name not in inside}
    student.load_state_dict(fit_channels(outside, student, kept), strict=False)
