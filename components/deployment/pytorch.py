"""The first rung of the ladder: a classifier checkpoint run by PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from components.deployment.parity import Infer
from components.errors import ArtifactError


def load_model(folder: Path) -> PreTrainedModel:
    """A classifier checkpoint in float32, ready for inference."""
    logging.disable_progress_bar()
    try:
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ArtifactError(f"{folder}: not a classifier: {reason}", "run `dvc repro`") from None
    model.config.use_cache = False
    return model.eval()


def torch_infer(model: PreTrainedModel) -> Infer:
    """A PyTorch classifier as a function of numpy arrays."""

    def infer(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits = model(
                input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(attention_mask)
            ).logits
        return logits.numpy()

    return infer
