"""The first rung of the ladder: a checkpoint run by PyTorch, as a whole or layer by layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from components.deployment.activations import Activation
from components.deployment.parity import Outputs
from components.errors import ArtifactError
from components.inference.sessions import Arrays, Infer
from components.modeling import loading
from components.modeling.text_embedding import SUFFIX, AutoModelForTextEmbedding


@dataclass(frozen=True)
class Head:
    """How a checkpoint with this head is loaded, and its outputs with their axes."""

    loader: Any
    outputs: Outputs


PER_TOKEN = {"logits": ("batch", "length", "")}
HEADS: dict[str, Head] = {
    "ForSequenceClassification": Head(AutoModelForSequenceClassification, {"logits": ("batch", "")}),
    "ForTokenClassification": Head(AutoModelForTokenClassification, PER_TOKEN),
    "ForQuestionAnswering": Head(
        AutoModelForQuestionAnswering, {"start_logits": ("batch", "length"), "end_logits": ("batch", "length")}
    ),
    "ForMaskedLM": Head(AutoModelForMaskedLM, PER_TOKEN),
    SUFFIX: Head(AutoModelForTextEmbedding, {"sentence_embedding": ("batch", "")}),
}
"""The end of a checkpoint's class -> its head."""

PASSED_THROUGH = (nn.Dropout, nn.Identity)


def load_model(folder: Path) -> PreTrainedModel:
    """A checkpoint with one of HEADS in float32, ready for inference."""
    try:
        loader = head(_architecture(folder)).loader
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ArtifactError(f"{folder}: not a classifier: {reason}", "run `dvc repro`") from None
    model = loading.load_model(loader, folder).model
    model.config.use_cache = False
    return model.eval()


def _architecture(folder: Path) -> str:
    """The class a checkpoint was saved as."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return str((config.get("architectures") or ["no architecture"])[0])


def head(architecture: str) -> Head:
    """The head of a transformers class. Raises ArtifactError for one that is none of HEADS."""
    found = next((entry for end, entry in HEADS.items() if architecture.endswith(end)), None)
    if found is None:
        raise ArtifactError(
            f"a checkpoint of {architecture} has no head that is exported here", f"known: …{', …'.join(HEADS)}"
        )
    return found


def torch_infer(model: PreTrainedModel) -> Infer:
    """A PyTorch checkpoint as its graph is: the outputs of its head by name."""
    outputs = outputs_of(model)

    def infer(feeds: Arrays) -> dict[str, np.ndarray]:
        found = _run(model, feeds)
        return {name: found[name].numpy() for name in outputs}

    return infer


def outputs_of(model: PreTrainedModel) -> Outputs:
    """What a model answers, and so what its graph does: outputs with their axes."""
    return head(type(model).__name__).outputs


def layers_run(model: PreTrainedModel, batch: Arrays) -> dict[str, bool]:
    """The innermost modules in the order in which a batch first passes them, and whether each has weights."""
    order: dict[str, bool] = {}
    hooks = [
        module.register_forward_hook(_note(name, order))
        for name, module in model.named_modules()
        if not list(module.children()) and not isinstance(module, PASSED_THROUGH)
    ]
    try:
        _run(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return order


def _note(name: str, order: dict[str, bool]) -> Callable[..., None]:
    def note(module: nn.Module, _given: Any, _found: Any) -> None:
        order.setdefault(name, hasattr(module, "weight"))

    return note


def parameters_run(model: PreTrainedModel, batch: Arrays) -> dict[str, np.ndarray]:
    """The parameters of the modules that a batch passes, by name, in that order."""
    return {
        f"{layer}.{name}": value.numpy(force=True)
        for layer, weighted in layers_run(model, batch).items()
        if weighted
        for name, value in model.get_submodule(layer).named_parameters(recurse=False)
    }


def layer_values(
    model: PreTrainedModel, batch: Arrays, activations: Sequence[Activation]
) -> dict[Activation, np.ndarray]:
    """The inputs and outputs of layers, or the model's answers, that are asked for."""
    kept: dict[Activation, np.ndarray] = {}
    hooks = [model.get_submodule(one.layer).register_forward_hook(_keep(one, kept)) for one in activations]
    try:
        found = _run(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return kept | {one: found[one.value].numpy() for one in activations if one.side == "answer"}


def _keep(activation: Activation, kept: dict[Activation, np.ndarray]) -> Callable[..., None]:
    def keep(_module: nn.Module, given: Any, found: Any) -> None:
        kept.setdefault(activation, (given[0] if activation.side == "input" else found).numpy())

    return keep


def _run(model: PreTrainedModel, batch: Arrays) -> Any:
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(value) for name, value in batch.items()})
