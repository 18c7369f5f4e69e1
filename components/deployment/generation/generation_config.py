"""generation_config.json: what of it a bundle goes by, what a caller sets, and what is refused by name.

transformers' `generate` changes a model's logits by it before a token is taken: without that the answers are another
model's. What is honoured stands in the bundle's manifest and is applied by `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.deployment.source import Source
from components.errors import ArtifactError

CALLERS = ("do_sample", "temperature", "top_p", "max_length", "max_new_tokens")
"""Of these each call here says its own, as a call of `generate` may."""

HONOURED: Mapping[str, Any] = {
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "min_length": 0,
    "min_new_tokens": 0,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "top_k": 0,
    "min_p": 0.0,
}
"""Setting -> the value at which it does nothing."""

REFUSED: Mapping[str, Any] = {
    "num_beams": 1,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    "num_return_sequences": 1,
    "penalty_alpha": 0.0,
    "dola_layers": None,
    "constraints": None,
    "force_words_ids": None,
    "guidance_scale": 1.0,
    "sequence_bias": None,
    "exponential_decay_length_penalty": None,
    "encoder_repetition_penalty": 1.0,
    "watermarking_config": None,
    "token_healing": False,
    "stop_strings": None,
    "max_time": None,
    "typical_p": 1.0,
    "top_h": None,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}
"""Setting -> the value at which it does nothing, and only then a bundle can be made. Everything else of the file is
about caches, outputs and speed, and changes no token."""


def read_rules(source: Source) -> dict[str, Any]:
    """The settings that change what is generated, for the manifest; empty where there are none.

    Raises ArtifactError naming the first that cannot be honoured.
    """
    config = source.generation_config
    for name, neutral in REFUSED.items():
        value = getattr(config, name, None)
        if value not in (None, neutral):
            raise ArtifactError(
                f"{_file(source)}: {name} {value!r:.60} cannot be honoured by a bundle, which takes one token after "
                "the other",
                f"set it to {neutral} there for answers without it, as `generate({name}={neutral})` gives them",
            )
    found = {name: getattr(config, name, None) for name in HONOURED}
    made = {name: value for name, value in found.items() if value not in (None, HONOURED[name])}
    _check_kinds(source, made)
    if "forced_eos_token_id" in made:
        made["forced_eos_token_id"] = as_ids(made["forced_eos_token_id"])
    if {"min_length", "min_new_tokens", "bad_words_ids"} & made.keys():
        made["end_ids"] = as_ids(config.eos_token_id)
    return made


def callers_settings(source: Source) -> dict[str, Any]:
    """What the file says of settings that every call here says itself."""
    config = source.generation_config
    return {name: value for name in CALLERS if (value := getattr(config, name, None)) is not None}


def start_id(source: Source) -> int | None:
    """The token that an encoder-decoder's answer begins with; None for a decoder. Raises ArtifactError."""
    if source.form != "encoder-decoder":
        return None
    config = source.generation_config
    named = (config.decoder_start_token_id, getattr(source.config, "decoder_start_token_id", None), config.bos_token_id)
    found = next((value for value in named if value is not None), None)
    if isinstance(found, list) and len(set(found)) > 1:
        raise ArtifactError(f"{_file(source)}: decoder_start_token_id has several", "give a model with one")
    if found is None:
        raise ArtifactError(f"{_file(source)}: no decoder_start_token_id, which an answer begins with", "add it")
    return int(found[0] if isinstance(found, list) else found)


def as_ids(value: Any) -> list[int]:
    """One token id, several, or none."""
    return sorted({*value}) if isinstance(value, list | tuple) else [] if value is None else [int(value)]


def _check_kinds(source: Source, made: Mapping[str, Any]) -> None:
    """Raises ArtifactError for a value that is none: `generate` would fail on it too."""
    numbers = {"repetition_penalty", "min_p"}
    lists = {"suppress_tokens", "begin_suppress_tokens"}
    for name, value in made.items():
        if name in numbers:
            fits = isinstance(value, int | float) and value > 0
        elif name == "bad_words_ids":
            fits = isinstance(value, list) and all(isinstance(one, list) and one and _are_ids(one) for one in value)
        elif name in lists or (name == "forced_eos_token_id" and isinstance(value, list)):
            fits = isinstance(value, list) and _are_ids(value)
        else:
            fits = _are_ids([value])
        if not fits:
            raise ArtifactError(f"{_file(source)}: {name} is not to be {value!r:.60}", "take the model again")
    most = source.rows
    ids = [
        *(made.get("suppress_tokens") or []),
        *(made.get("begin_suppress_tokens") or []),
        *(one for word in made.get("bad_words_ids") or [] for one in word),
        *as_ids(made.get("forced_bos_token_id")),
        *as_ids(made.get("forced_eos_token_id")),
    ]
    if strange := [one for one in ids if one >= most]:
        raise ArtifactError(
            f"{_file(source)}: names the token {strange[0]}, the model's embeddings end at {most - 1}",
            "check that it belongs to these weights",
        )


def _are_ids(values: list[Any]) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def _file(source: Source) -> str:
    name = "generation_config.json"
    return str(source.folder / (name if (source.folder / name).is_file() else "config.json"))
