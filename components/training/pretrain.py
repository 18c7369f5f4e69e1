"""Stage pretrain: a language model learns from packed tokens, from random weights or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.artifacts import of_kind, read_manifest, write_manifest
from components.errors import ParameterError
from components.modeling.architectures import build_language_model, positions_of
from components.modeling.checkpoints import (
    INIT_FROM,
    check_architecture,
    load_language_model,
    load_tokenizer,
    pooler_weights,
    save_checkpoint,
)
from components.modeling.config import ModelConfig
from components.modeling.objectives.lookup import build_objective, check_batch, check_objective
from components.run import Metrics, Run
from components.staging import staged
from components.starts import local_folder
from components.tokenization.reader import PackedTokens
from components.training import ranks
from components.training.batches import check_division, window_batches
from components.training.config import PretrainConfig, TrainerConfig
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
    """Train a language model and write it with its tokenizer to `pretrained`. Returns losses in nats a token.

    With no steps to take, the checkpoint of `init_from` is written as it is.
    """
    if config.steps == 0:
        return _take_over(config, model, seed, tokenizer, pretrained, run)
    read_manifest(tokens, "tokens")
    read_manifest(tokenizer, "tokenizer")
    check_division(config.batch_size, trainer.devices * trainer.accumulate)
    check_batch(config, trainer.devices * trainer.accumulate)
    prepare_libraries(config.threads)
    vocabulary = load_tokenizer(tokenizer)
    learner = initial_model(config, model, vocabulary, seed, run)
    objective = build_objective(vocabulary, config)
    torch.manual_seed(derived_seed(seed, "objective"))
    objective.attach(learner)
    if config.init_from is not None:
        for line in objective.start_from(pooler_weights(local_folder(INIT_FROM, config.init_from))):
            run.say(f"{INIT_FROM}: {line}")
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
    if not ranks.is_rank_zero():
        return {}
    result = objective.result(learner)
    _write(result, config, {"tokens": tokens, "tokenizer": tokenizer}, pretrained, objective.beside())
    run.log_figure("loss.png", curves_figure({"pretrain": curves.history}, ["loss", "validation_loss"]))
    return {
        "loss": curves.history["loss"][-1][1],
        **module.validation,
        "tokens_seen": seen,
        "parameters": result.num_parameters(),
    }


def _take_over(
    config: PretrainConfig, model: ModelConfig, seed: int, tokenizer: Path, pretrained: Path, run: Run
) -> Metrics:
    """Write the checkpoint of `init_from` with this project's tokenizer, without a step of training."""
    read_manifest(tokenizer, "tokenizer")
    prepare_libraries(config.threads)
    learner = initial_model(config, model, load_tokenizer(tokenizer), seed, run)
    if ranks.is_rank_zero():
        _write(learner, config, {"tokenizer": tokenizer}, pretrained)
    return {"tokens_seen": 0, "parameters": learner.num_parameters()}


def _write(
    learner: PreTrainedModel,
    config: PretrainConfig,
    made_from: dict[str, Path],
    pretrained: Path,
    beside: Mapping[str, Tensor] = MappingProxyType({}),
) -> None:
    with staged(pretrained, of_kind("pretrained")) as folder:
        name = config.init_from
        start = None if name is None else local_folder("pretrain.init_from", name)
        pooler = {} if start is None else pooler_weights(start)
        save_checkpoint(learner, made_from["tokenizer"], folder, {**pooler, **beside})
        imported = {} if name is None else {f"weights of {name}": "unknown"}
        if name is not None and Path(name).is_dir():
            made_from |= {"init_from": Path(name)}
        write_manifest(folder, "pretrained", made_from, licences=imported)


def initial_model(
    config: PretrainConfig, model: ModelConfig, tokenizer: Tokenizer, seed: int, run: Run
) -> PreTrainedModel:
    """Random weights of the `model` section's shape, or the checkpoint `init_from` names."""
    torch.manual_seed(derived_seed(seed, "weights"))
    check_objective(model.architecture, config.objective.name)
    if config.init_from is None:
        return build_language_model(model, tokenizer, config.sequence_length)
    start = local_folder("pretrain.init_from", config.init_from)
    loaded = load_language_model(str(start), tokenizer)
    check_architecture(config.init_from, loaded.model.config, model.architecture)
    if config.steps == 0:
        run.say(f"pretrain.steps: 0: {config.init_from} goes on to fine-tuning as it is")
        # A vocabulary head that the checkpoint lacks would be written as the random one it begins with.
        return cast(PreTrainedModel, loaded.model.base_model) if loaded.new else loaded.model
    if config.sequence_length > positions_of(loaded.model.config):
        raise ParameterError(
            f"pretrain.sequence_length {config.sequence_length} is longer than {config.init_from} reads "
            f"({positions_of(loaded.model.config)} tokens)",
            "lower it, as `lianzi init-from` does",
        )
    run.say(f"pretrain.init_from: going on from {config.init_from}; its own shape counts, not the model section's")
    for line in loaded.remarks(f"pretrain.init_from: {config.init_from}"):
        run.say(line)
    return loaded.model


def _tokens(folder: Path, split: str, config: PretrainConfig) -> PackedTokens:
    tokens = PackedTokens(folder, split)
    if len(tokens) < config.sequence_length:
        larger = ", raise curate.validation_fraction" if split == "validation" else ""
        raise ParameterError(
            f"pretrain.sequence_length {config.sequence_length}: the {split} split has only {len(tokens)} tokens",
            f"lower pretrain.sequence_length{larger} or bring more text",
        )
    return tokens
