"""The systems that are compared on the test rows, each as a function from texts to answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from components.deployment.parity import answers
from components.modeling.kinds import CARRIES_ON, WRITES
from components.runtime.bundle import load_bundle
from components.runtime.encoding import Encoder
from components.tasks.task import Task

Answer = Callable[[Sequence[Any]], np.ndarray]

RUNGS = ("baseline", "without_pretraining", "teacher", "student", "onnx", "candidate")
"""From what has to be beaten to the candidate for release; the quantized rungs of a bundle stand before the last."""


def systems(ladder: Sequence[str]) -> tuple[str, ...]:
    """Everything that is compared: RUNGS with a bundle's quantized rungs, the top of the ladder first."""
    return (*RUNGS[:-1], *(name for name in ladder if name != "fp32"), RUNGS[-1])


def system_of(rung: str) -> str:
    """What a rung of the bundle is called among the systems."""
    return "onnx" if rung == "fp32" else rung


def torch_rung(task: Task, folder: Path, max_length: int) -> Answer:
    """A classifier checkpoint run by PyTorch, its texts encoded by Hugging Face tokenizers, as PyTorch's users do."""
    # Here, since a stage of another kind loads no code of these.
    if task.head == CARRIES_ON:
        from components.deployment.generation.scores import torch_scores

        return torch_scores(folder, max_length)
    if task.head == WRITES:
        from components.deployment.generation.written import torch_answers

        return torch_answers(task, folder, max_length)
    # Here, since those who only want the names of the systems shall not load PyTorch.
    from components.deployment.pytorch import load_model, torch_infer
    from components.modeling.loading import takes_types

    model = load_model(folder)
    types = task.reads_pairs and takes_types(model.config)
    encoder = Encoder.load(folder / "tokenizer.json", max_length, int(model.config.pad_token_id or 0), types)
    encoder = replace(encoder, words=None)
    return partial(answers, task, torch_infer(model), encoder)


def bundle_rung(task: Task, bundle: Path, rung: str | None) -> Answer:
    """A graph of the bundle, by default the one it answers with, run as it is served."""
    if task.head == CARRIES_ON:
        from components.deployment.generation.scores import generator_scores
        from components.runtime.generation.generator import load_generator

        return partial(generator_scores, load_generator(bundle, rung))
    if task.head == WRITES:
        from components.deployment.generation.written import generator_answers
        from components.runtime.generation.generator import load_generator

        return partial(generator_answers, task, load_generator(bundle, rung))
    classifier = load_bundle(bundle, rung)
    return lambda texts: task.decode(classifier.logits(texts))
