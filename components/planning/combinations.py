"""Combinations of parameters that fail, each raised by the code that would meet it in the middle of a run."""

from __future__ import annotations

from components.modeling.adapters.lora import check_lora
from components.modeling.checkpoints import INIT_FROM
from components.modeling.config import DenoisingConfig
from components.modeling.loading import load_config
from components.modeling.objectives.denoising import check_windows
from components.modeling.objectives.lookup import check_batch, check_objective
from components.params import Params
from components.starts import local_folder
from components.training.batches import check_division
from components.training.config import LoraConfig
from components.training.quantization_aware import check_rounding


def check_combinations(params: Params) -> None:
    """Raise ParameterError for the first combination that fails."""
    if params.pretrain.init_from is None:
        check_objective(params.model.architecture, params.pretrain.objective.name)
    if isinstance(params.finetune.adapter, LoraConfig):
        start = params.pretrain.init_from
        shape = params.model if start is None else load_config(str(local_folder(INIT_FROM, start)), INIT_FROM)
        check_lora(shape, params.finetune.adapter)
    if isinstance(params.pretrain.objective, DenoisingConfig):
        check_windows(params.pretrain.objective.name, params.pretrain.document_attention)
    parts = params.trainer.devices * params.trainer.accumulate
    for section in (params.pretrain, params.finetune, params.distill):
        check_division(section.batch_size, parts)
    if params.pretrain.steps:
        check_batch(params.pretrain, parts)
    check_rounding(params.distill.quantization_aware, params.trainer)
