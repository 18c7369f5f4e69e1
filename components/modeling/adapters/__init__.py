"""What is trained of a pretrained model: a file an adapter, chosen by `finetune.adapter.name`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.modeling.adapters.adapter import Merge

if TYPE_CHECKING:
    from components.training.config import AdapterConfig


def adapt(model: PreTrainedModel, config: AdapterConfig, head: str) -> Merge | None:
    """Choose the parameters to train, in place, adding an adapter's own (random: torch's global generator).

    `head`: of the task, a key of HEADS. None where nothing is to be merged. Raises ParameterError where the model lacks
    what the adapter stands on.
    """
    name = config.name
    merge: Merge | None = import_module(f"components.modeling.adapters.{name}").adapt(model, config, head)
    return merge
