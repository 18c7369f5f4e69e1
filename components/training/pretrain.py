"""Stage pretrain: a language model learns from packed tokens, from random weights or a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.artifacts import of_kind, read_manifest, write_manifest
from components.errors import ParameterError
from components.modeling.architectures import build_language_model, check_objective
from components.modeling.checkpoints import load_language_model, load_tokenizer, save_checkpoint
from components.modeling.objectives import OBJECTIVES
from components.params import ModelConfig, PretrainConfig, TrainerConfig
from components.run import Metrics, Run
from components.staging import staged
from components.starts import local_folder
from components.tokenization.reader import PackedTokens
from components.training import ranks
from components.training.batches import check_division, window_batches
from components.training.figures import curves_figure
from components.training.module import LanguageModule
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.trainer import Schedule, fit, prepare_libraries


def pretrain(
    config: PretrainConfig,
    model: ModelConfig,
    trainer: TrainerConfig,
    seed: int,
    tokens: Path,
    tokenizer: Path,
    pretrained: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train a language model and write it with its tokenizer to `pretrained`. Returns losses in nats a token."""
    read_manifest(tokens, "tokens")
    read_manifest(tokenizer, "tokenizer")
    check_division(config.batch_size, trainer.devices * trainer.accumulate)
    prepare_libraries(config.threads)
    vocabulary = load_tokenizer(tokenizer)
    learner = initial_model(config, model, vocabulary, seed, run)
    objective = OBJECTIVES[config.objective](vocabulary, config)
    module = LanguageModule(learner, objective, config, trainer, config.steps, seed)
    seen = config.steps * objective.cost(config.batch_size, config.sequence_length).tokens
    batches = window_batches(
        _tokens(tokens, "train", config),
        _tokens(tokens, "validation", config),
        objective,
        config.sequence_length,
        config.batch_size,
        config.validation_sequences,
        seed,
    )
    schedule = Schedule("pretrain", config.validate_every, seen)
    curves = fit(module, batches, schedule, config.precision, run, checkpoints)
    if not ranks.leads():
        return {}
    with staged(pretrained, of_kind("pretrained")) as folder:
        save_checkpoint(learner, tokenizer, folder)
        imported = {} if config.init_from is None else {f"weights of {config.init_from}": "unknown"}
        start = {"init_from": Path(config.init_from)} if config.init_from and Path(config.init_from).is_dir() else {}
        made_from = {"tokens": tokens, "tokenizer": tokenizer, **start}
        write_manifest(folder, "pretrained", made_from, licences=imported)
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
    start = local_folder("pretrain.init_from", config.init_from)
    loaded = load_language_model(str(start), config.objective, tokenizer)
    run.say(f"pretrain.init_from: going on from {config.init_from}; its own shape counts, not the model section's")
    for line in loaded.remarks(f"pretrain.init_from: {config.init_from}"):
        run.say(line)
    return loaded.model


def _tokens(folder: Path, split: str, config: PretrainConfig) -> PackedTokens:
    tokens = PackedTokens(folder, split)
    if len(tokens) < config.sequence_length:
        raise ParameterError(
            f"pretrain.sequence_length {config.sequence_length}: the {split} split has only {len(tokens)} tokens",
            "lower pretrain.sequence_length or bring more text",
        )
    return tokens
