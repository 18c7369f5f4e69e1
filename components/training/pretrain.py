"""Stage pretrain: a language model learns from packed tokens, from random weights or a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.artifacts import read_manifest, staged, write_manifest
from components.errors import ParameterError
from components.modeling.architectures import build_language_model, check_objective
from components.modeling.checkpoints import load_language_model, load_tokenizer, save_checkpoint
from components.modeling.objectives import OBJECTIVES, LanguageObjective
from components.params import ModelConfig, PretrainConfig
from components.run import Metrics, Run
from components.tokenization.reader import PackedTokens
from components.training.batches import loader, window_batch
from components.training.figures import curves_figure
from components.training.module import LanguageModule
from components.training.order import WindowOrder
from components.training.randomness import derived_seed
from components.training.trainer import Schedule, fit, prepare_libraries


def pretrain(
    config: PretrainConfig, model: ModelConfig, seed: int, tokens: Path, tokenizer: Path, pretrained: Path, run: Run
) -> Metrics:
    """Train a language model and write it with its tokenizer to `pretrained`. Returns losses in nats a token."""
    read_manifest(tokens, "tokens")
    read_manifest(tokenizer, "tokenizer")
    prepare_libraries(config.threads)
    vocabulary = load_tokenizer(tokenizer)
    learner = initial_model(config, model, vocabulary, seed, run)
    objective = OBJECTIVES[config.objective](vocabulary, config)
    module = LanguageModule(learner, objective, config, config.steps, seed)
    seen = config.steps * config.batch_size * config.sequence_length
    curves = fit(
        module,
        loader(config.steps, _batches(tokens, "train", config, objective, seed)),
        loader(_validation_steps(config), _batches(tokens, "validation", config, objective, seed)),
        Schedule("pretrain", config.validate_every, seen),
        config.precision,
        run,
    )
    with staged(pretrained) as folder:
        save_checkpoint(learner, tokenizer, folder)
        write_manifest(folder, "pretrained", {"tokens": tokens, "tokenizer": tokenizer})
    run.log_figure("loss.png", curves_figure({"pretrain": curves.history}, ["loss", "validation_loss"]))
    return {
        "loss": curves.history["loss"][-1][1],
        **module.validation,
        "tokens_seen": seen,
        "parameters": learner.num_parameters(),
    }


def initial_model(
    config: PretrainConfig, model: ModelConfig, tokenizer: Tokenizer, seed: int, run: Run
) -> PreTrainedModel:
    """Random weights of the `model` section's shape, or the checkpoint `init_from` names."""
    torch.manual_seed(derived_seed(seed, "weights"))
    if config.init_from is None:
        check_objective(model.architecture, config.objective)
        return build_language_model(model, tokenizer, config.sequence_length)
    learner = load_language_model(config.init_from, config.objective, tokenizer)
    run.say(f"pretrain.init_from: going on from {config.init_from}; its own shape counts, not the model section's")
    return learner


def _batches(folder: Path, split: str, config: PretrainConfig, objective: LanguageObjective, seed: int):  # type: ignore[no-untyped-def]
    tokens = PackedTokens(folder, split)
    if len(tokens) < config.sequence_length:
        raise ParameterError(
            f"pretrain.sequence_length {config.sequence_length}: the {split} split has only {len(tokens)} tokens",
            "lower pretrain.sequence_length or bring more text",
        )
    order = WindowOrder(len(tokens), config.sequence_length, config.batch_size, seed)
    return window_batch(tokens, order, objective, seed, split)


def _validation_steps(config: PretrainConfig) -> int:
    return -(-config.validation_sequences // config.batch_size)
