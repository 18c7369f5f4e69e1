"""Temperature scaling (Guo et al. 2017): one number that the logits are divided by, so that the probabilities are as
often right as they say. No answer changes: the likeliest label stays the likeliest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.errors import ParameterError
from components.runtime.prediction import softmax

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from components.tasks.task import Task

SMALLEST, LARGEST = 0.05, 20.0
"""Between these a temperature is looked for; where the best one is beyond, as of rows all right, it stays 1."""
HALVINGS = 60


def picks_a_label(task: Task) -> bool:
    """Whether each row is answered with one of the task's labels, all with logits of their own."""
    output = task.output
    return output.kind == "categorical" and not (output.per_token or output.over_tokens or output.of_candidates)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood of the targets [rows], of logits [rows, labels].

    By bisection: in the inverse temperature the likelihood has one optimum, where the mean logit that the model expects
    is the mean logit of the targets. 1 where that is beyond SMALLEST or LARGEST.
    """
    wide = np.asarray(logits, dtype=np.float64)
    hit = wide[np.arange(len(targets)), targets].mean()

    def too_sure(inverse: float) -> bool:
        return bool((softmax(inverse * wide) * wide).sum(axis=1).mean() > hit)

    low, high = np.log(1 / LARGEST), np.log(1 / SMALLEST)
    # Rows that are all right would saturate every probability: they do not say how sure the model should be.
    if too_sure(1 / LARGEST) or not too_sure(1 / SMALLEST):
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if too_sure(float(np.exp(middle))) else (middle, high)
    return float(f"{np.exp(-(low + high) / 2):.6g}")


def divide_logits(model: PreTrainedModel, temperature: float) -> None:
    """Divide the model's logits by the temperature, in place: in the weights of its last layer, so that every graph,
    quantizer and engine that comes of it carries the temperature at no cost.

    Raises ParameterError for a model whose last layer is not the linear one of its labels.
    """
    import torch

    labels = model.config.num_labels
    last = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1:]
    if not last or last[0].out_features != labels:
        raise ParameterError(
            f"export.temperature: the last layer of {type(model).__name__} is not a linear one of {labels} labels",
            "set export.temperature to null",
        )
    with torch.no_grad():
        for value in last[0].parameters():
            value.div_(temperature)
