"""What every contender of the training benchmark gets: one model, one order of batches, one optimizer's settings."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from transformers import PreTrainedModel

from benchmarks.peak import step_flops
from components.artifacts import write_manifest
from components.modeling.architectures import LANGUAGE_MODELS, architecture, head_of
from components.modeling.config import MlmConfig, ModelConfig, ObjectiveConfig
from components.modeling.loading import random_model
from components.modeling.objectives.clm import CausalLanguageModeling
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE, PretrainingObjective
from components.params import Params
from components.tokenization.reader import PackedTokens
from components.training.batches import Batches, window_batches
from components.training.config import PretrainConfig, TrainerConfig
from components.training.optimizers import decay_groups

VOCABULARY = 8192
SPECIAL = 5
IGNORED = -100
"""The target that transformers' losses leave out."""


@dataclass(frozen=True)
class Shape:
    """A model and what it is trained on."""

    model: ModelConfig
    pretrain: PretrainConfig


def shapes(params: Params) -> dict[str, Shape]:
    """`gpt2`: 13.8 million weights, 4,096 tokens a step; `tiny`: next to nothing.

    `default`: the model and batch of params.yaml, learning by masked tokens alone, which every peer can.
    """
    even = {"schedule": "constant", "warmup_fraction": 0.0, "validation_sequences": 1, "average_decay": 0.0}
    causal = {"objective": ObjectiveConfig(name="clm"), "learning_rate": 3e-4, **even}
    masked = {
        "objective": MlmConfig(name="mlm", mask_probability=0.15, masking="dynamic", whole_word=False),
        "sequence_length": 64,
        **even,
    }
    gpt2 = params.model.model_copy(update={"architecture": "gpt2", "depth": 6, "width": None, "max_length": 256})
    tiny = params.model.model_copy(update={"architecture": "gpt2", "depth": 1, "width": None, "max_length": 16})
    return {
        "gpt2": Shape(gpt2, params.pretrain.model_copy(update={"batch_size": 16, "sequence_length": 256, **causal})),
        "default": Shape(params.model, params.pretrain.model_copy(update=masked)),
        "tiny": Shape(tiny, params.pretrain.model_copy(update={"batch_size": 4, "sequence_length": 16, **causal})),
    }


@dataclass(frozen=True)
class Task:
    """One training, to be done by each contender with weights of its own."""

    trainer: TrainerConfig
    config: PretrainConfig
    shape: ModelConfig
    objective: PretrainingObjective
    batches: Batches
    initial: PreTrainedModel
    bf16: bool

    def model(self) -> PreTrainedModel:
        """The untrained model, a fresh copy."""
        return copy.deepcopy(self.initial).train()

    def optimizer(self, model: nn.Module) -> AdamW:
        """The same settings for everyone: fused, matrices decay, norms and biases do not."""
        groups = decay_groups(model.parameters(), self.config.weight_decay)
        return AdamW(groups, lr=self.config.learning_rate, fused=True)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """The precision of a bare loop."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            yield

    def labelled(self, step: int) -> dict[str, Tensor]:
        """The very batch our step sees, in the form transformers' models take."""
        batch = self.batches.make(step, WHOLE)
        if self.config.objective.name == "clm":
            return {"input_ids": batch["input_ids"], "labels": batch["input_ids"]}
        labels = torch.full_like(batch["input_ids"], IGNORED)
        labels.view(-1)[batch["positions"]] = batch["targets"]
        return {"input_ids": batch["input_ids"], "labels": labels}

    @property
    def tokens(self) -> int:
        """Tokens a step."""
        return self.config.batch_size * self.config.sequence_length

    @property
    def flops(self) -> float:
        """Operations our step cannot do without."""
        batch, length = self.batches.make(0, WHOLE), self.config.sequence_length
        config, head = self.initial.config, head_of(self.initial).weight.numel()
        depth = self.shape.depth
        return step_flops(self.initial, depth, config.hidden_size, self.tokens, length, head, batch["count"])


def task_of(shape: Shape, params: Params, steps: int, folder: Path, bf16: bool) -> Task:
    """`steps` steps of a shape on made-up tokens, put into `folder` as the stage tokenize leaves them."""
    config = shape.pretrain.model_copy(update={"steps": steps, "validate_every": steps})
    objective: PretrainingObjective = CausalLanguageModeling()
    if isinstance(config.objective, MlmConfig):
        hidden = config.objective.mask_probability
        objective = MaskedLanguageModeling(VOCABULARY, SPECIAL - 1, tuple(range(SPECIAL)), hidden)
    training, held_out = _tokens(folder, (steps + 2) * config.batch_size * config.sequence_length)
    batches = window_batches(
        training,
        held_out,
        objective,
        config.sequence_length,
        config.batch_size,
        config.validation_sequences,
        params.seed,
    )
    torch.manual_seed(params.seed)
    entry = architecture(shape.model.architecture)
    names = ("pad", "bos", "eos", "cls", "sep")
    vocabulary = {"vocab_size": VOCABULARY, **{f"{name}_token_id": number for number, name in enumerate(names)}}
    model = random_model(LANGUAGE_MODELS[entry.language_model], entry.config(shape.model, vocabulary))
    return Task(params.trainer, config, shape.model, objective, batches, model, bf16)


def _tokens(folder: Path, count: int) -> tuple[PackedTokens, PackedTokens]:
    """Ids as frequent as words are (Zipf's law): the loss falls, the arithmetic is that of any text."""
    share = 1.0 / np.arange(1, VOCABULARY - SPECIAL + 1)
    drawn = np.random.default_rng(0).choice(VOCABULARY - SPECIAL, size=count, p=share / share.sum()) + SPECIAL
    folder.mkdir(parents=True)
    drawn.astype("<u2").tofile(folder / "tokens.bin")
    split = {"documents": 1, "tokens": count, "shards": [{"file": "tokens.bin", "tokens": count}]}
    splits = {"train": split, "validation": split}
    write_manifest(folder, "tokens", {}, dtype="uint16", vocab_size=VOCABULARY, splits=splits)
    return PackedTokens(folder, "train"), PackedTokens(folder, "validation")
