"""The table of stages: name -> the function that does the work.

A stage's signature is its contract: each `Path` is a path that dvc.yaml gives on the command line, each
params section it needs is an argument (`config` is the section of the stage's own name, or of the stage whose recipe it
follows), `task` and `seed` come from params.yaml, and `run` receives what it reports.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

STAGES: dict[str, str] = {
    "curate": "components.corpus.curate:curate",
    "validate": "components.validation.validate:validate",
    "train_tokenizer": "components.tokenization.train:train_tokenizer",
    "tokenize": "components.tokenization.pack:tokenize",
    "pretrain": "components.training.pretrain:pretrain",
    "finetune": "components.training.finetune:finetune",
    "train_from_scratch": "components.training.from_scratch:train_from_scratch",
    "distill": "components.training.distill:distill",
    "export": "components.deployment.export:export",
    "quantize": "components.deployment.quantize:quantize",
    "build": "components.deployment.bundle:build",
    "evaluate": "components.evaluation.evaluate:evaluate",
    "analyze": "components.analysis.analyze:analyze",
}

TRAININGS = ("pretrain", "finetune", "train_from_scratch", "distill")
"""The stages that train a model: `lianzi plan` measures a few of their steps, and takes the last run of the others."""

_RECIPES = {"train_from_scratch": "finetune"}
"""Stage -> the stage whose recipe it follows."""


def section_of(stage: str) -> str:
    """The section of params.yaml that is the `config` of a stage, STAGE or STAGE@TASK."""
    name = stage.partition("@")[0]
    return _RECIPES.get(name, name)


def stage_name(stage: str, task: str | None) -> str:
    """The stage's name in the graph: STAGE, or STAGE@TASK."""
    return f"{stage}@{task}" if task else stage


def stage_function(name: str) -> Callable[..., dict[str, object]]:
    """Import a stage's function, and with it only the libraries that stage needs."""
    module, function = STAGES[name].split(":")
    return getattr(import_module(module), function)
