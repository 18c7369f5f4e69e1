"""A smaller copy of a model: which layers it keeps, and whose output each of them has to learn."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from components.modeling.architectures import architecture_of, layers_of
from components.modeling.loading import random_model
from components.modeling.pruning import Kept, Sizes, fit_channels, narrow_config, narrow_weights


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


def student_config(teacher: PreTrainedConfig, layers: LayerMap, left: Sizes) -> PreTrainedConfig:
    """The teacher's config with fewer and narrower layers."""
    config = copy.deepcopy(teacher)
    config.num_hidden_layers = len(layers.copied)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[index] for index in layers.copied]
    narrow_config(config, left)
    return config


def build_student(teacher: PreTrainedModel, layers: LayerMap, kept: Kept, dropout: float) -> PreTrainedModel:
    """A model with copies of some of the teacher's layers, or of what is kept of them, and of all that is no layer."""
    config = student_config(teacher.config, layers, kept.sizes(teacher.config))
    for name in architecture_of(config).dropouts:
        setattr(config, name, dropout)
    student = random_model(AutoModelForSequenceClassification, config)
    stacked = {id(layer) for layer in layers_of(teacher)}
    with torch.no_grad():
        _copy_outside(teacher, student, stacked, kept)
        for target, index in zip(layers_of(student), layers.copied, strict=True):
            weights = narrow_weights(teacher.config, layers_of(teacher)[index].state_dict(), kept, index)
            target.load_state_dict(fit_channels(weights, target, kept))
    return student


def _copy_outside(teacher: PreTrainedModel, student: PreTrainedModel, layers: set[int], kept: Kept) -> None:
    """Copy every tensor that belongs to no layer, or what is kept of it."""
    inside = {
        f"{name}.{inner}"
        for name, module in teacher.named_modules()
        if id(module) in layers
        for inner in module.state_dict()
    }
    outside = {name: tensor for name, tensor in teacher.state_dict().items() if name not in inside}
    student.load_state_dict(fit_channels(outside, student, kept), strict=False)
