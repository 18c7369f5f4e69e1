"""`lianzi init-from`: set params.yaml to start from a pretrained checkpoint."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.params import Params, load_params
from components.starts import named_folder
from flows.settings import project_root, set_values

if TYPE_CHECKING:
    from components.modeling.inspection import Found

PARAMS = "params.yaml"
OBJECTIVES: dict[str, dict[str, Any]] = {
    "mlm": {"name": "mlm", "mask_probability": 0.15, "masking": "dynamic", "whole_word": False},
    "clm": {"name": "clm"},
    "span_corruption": {"name": "span_corruption", "noise_density": 0.15, "mean_span_length": 3.0},
    "permutation_lm": {"name": "permutation_lm", "predicted_share": 1 / 6, "max_span_length": 5},
}
"""The objective for a checkpoint that the one in params.yaml does not fit; 15 %: Devlin 2019,
Raffel 2020."""
READS = {
    "masked_lm": "an encoder",
    "causal_lm": "a decoder",
    "permutation_lm": "an encoder",
    "seq2seq_lm": "an encoder-decoder",
}
RATES = ((60e6, 1e-4), (250e6, 5e-5), (float("inf"), 2e-5))
"""Largest number of parameters -> learning rate of fine-tuning. Devlin 2019 has 2e-5 to 5e-5 for 110 to 340 million;
smaller models need more (MiniLM of 22 million was best at 1e-4).
"""


@click.command("init-from")
@click.argument("model")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def command(model: str, dry_run: bool) -> None:
    """Go on from MODEL, a pretrained checkpoint: say what it is, and set params.yaml accordingly.

    \b
    lianzi init-from models/minilm                        a folder as transformers writes it
    lianzi init-from OWNER/NAME@0123…cdef                 a commit on Hugging Face's hub
    """
    here = Path.cwd()
    root = project_root()
    os.chdir(here)  # MODEL is seen from where it was typed
    name = as_seen_from(root, model)
    os.chdir(root)
    init_from(root, name, not dry_run, click.echo)


@dataclass(frozen=True)
class Setting:
    """A parameter's new value, and the reason."""

    value: Any
    why: str


@dataclass(frozen=True)
class Words:
    """A checkpoint's tokenizer after import: its kind, the token of each role, and the added tokens."""

    kind: str
    roles: dict[str, str]
    added: tuple[str, ...]


def init_from(root: Path, name: str, write: bool, say: Callable[[str], None]) -> None:
    """Inspect a checkpoint, describe it, and set params.yaml to start from it, if `write`.

    Raises ParameterError where training cannot start from it; params.yaml is unchanged then.
    """
    path = root / PARAMS
    params = load_params(path)
    from components.modeling.inspection import inspect

    found = inspect(name)
    words = words_of(name, found, params.train_tokenizer.special_tokens)
    for line in description(name, found, words):
        say(line)
    settings = settings_for(name, found, words, params)
    changed = set_values(path, {parameter: setting.value for parameter, setting in settings.items()}, write)
    say("")
    say(f"{PARAMS}:" if write or not changed else f"{PARAMS} would change:")
    width = max((len(parameter) for parameter in changed), default=0)
    for parameter, (before, after) in changed.items():
        say(f"  {parameter:{width}}  {_told(before)} -> {_told(after)}   # {settings[parameter].why}")
    if not changed:
        say("  nothing to change: training starts from this checkpoint already")
    say("")
    say("Next: lianzi run" if write else f"Next: lianzi init-from {name}, then lianzi run")


def words_of(name: str, found: Found, special_tokens: Sequence[str]) -> Words:
    """The tokenizer of a checkpoint, with the tokens that it lacks and params.yaml asks for."""
    from components.tokenization.imported import import_tokenizer

    tokenizer, roles, _ = import_tokenizer(name, special_tokens)
    ours = tokenizer.get_vocab(with_added_tokens=True)
    added = sorted(ours.keys() - found.tokens.keys(), key=lambda token: ours[token])
    return Words(type(tokenizer.model).__name__, roles, tuple(added))


def settings_for(name: str, found: Found, words: Words, params: Params) -> dict[str, Setting]:
    """The values of params.yaml for training from a checkpoint, by parameter."""
    from components.modeling.architectures import architecture_name
    from components.modeling.objectives.lookup import fitting_objectives

    architecture = architecture_name(found.config)
    known = fitting_objectives(architecture)
    objective = params.pretrain.objective.model_dump()
    if objective["name"] not in known:
        objective = OBJECTIVES[known[0]]
    return {
        "train_tokenizer.from": Setting(name, "embeddings belong to their own tokenizer"),
        "pretrain.init_from": Setting(name, "the weights"),
        "model.architecture": Setting(architecture, "what they are of"),
        "pretrain.steps": Setting(0, "taken as it is; more than 0 trains it on the corpus first"),
        "pretrain.objective": Setting(objective, f"what a {found.config.model_type} learns by"),
        **_documents(found),
        **_lengths(found, params),
        **_finetuning(found, words, params),
        **_distillation(found),
    }


def _documents(found: Found) -> dict[str, Setting]:
    if found.entry.decoder is None:
        return {}
    return {"pretrain.document_attention": Setting(False, "it reads a window as one text")}


def _lengths(found: Found, params: Params) -> dict[str, Setting]:
    why = f"it reads {found.positions:,} tokens at most"
    shorter = {name: Setting(min(length, found.positions), why) for name, length in params.lengths().items()}
    if found.positions == sys.maxsize:
        return {}
    return {"model.max_length": Setting(found.positions, why), **shorter}


def _finetuning(found: Found, words: Words, params: Params) -> dict[str, Setting]:
    rate = rate_for(found.parameters)
    settings = {
        "finetune.learning_rate": Setting(rate, "more would undo what it has learnt"),
        "finetune.epochs": Setting(3, "at that rate"),
        "finetune.without_pretraining": Setting(False, "the control would learn from random weights, as long"),
    }
    if words.roles["mask_token"] in words.added:
        settings["finetune.token_masking"] = Setting(0.0, "it has never seen a mask")
    return settings


def _distillation(found: Found) -> dict[str, Setting]:
    fractions = ("depth_fraction", "width_fraction", "ffn_fraction", "head_fraction")
    return {
        **{f"distill.{name}": Setting(1.0, "a whole student: what is cut away is lost") for name in fractions},
        "distill.min_token_count": Setting(0, "the whole vocabulary: new words come in later texts"),
        "distill.learning_rate": Setting(rate_for(found.parameters), "of a smaller student, if you ask for one"),
    }


def rate_for(parameters: int) -> float:
    """The learning rate for a pretrained model with so many parameters."""
    return next(rate for most, rate in RATES if parameters <= most)


def as_seen_from(root: Path, name: str) -> str:
    """The name for params.yaml: the path relative to the project for a folder inside it; otherwise absolute."""
    if not named_folder("MODEL", name):
        return name
    folder = Path(os.path.abspath(name))  # noqa: PTH100  links stay as they were named
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def description(name: str, found: Found, words: Words) -> list[str]:
    """A description of a checkpoint, one line for each aspect."""
    config, spare = found.config, found.rows - len(found.tokens)
    rows = f", {spare:,} rows of the embedding to spare" if spare > 0 else ""
    added = f"; added: {' '.join(words.added)}" if words.added else ""
    files = f"{found.files} file{'s' * (found.files > 1)}"
    roles = ", ".join(f"{role.removesuffix('_token')} {token}" for role, token in words.roles.items())
    return [
        f"{name}: {config.model_type}, {READS[found.entry.language_model]}",
        f"  parameters  {found.parameters:,} ({found.dtype}, {files})",
        f"  shape       {config.num_hidden_layers} layers, width {config.hidden_size}, "
        f"{config.num_attention_heads} heads",
        f"  vocabulary  {len(found.tokens):,} tokens ({words.kind}){rows}",
        f"  special     {roles}{added}",
        f"  positions   {'any number' if found.positions == sys.maxsize else f'{found.positions:,}'}",
        *([f"  pooling     a classifier reads {found.pooling}"] if found.entry.decoder is None else []),
        f"  new heads   {', '.join(found.new) or 'none'}",
    ]


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_told(inner)}' for key, inner in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
