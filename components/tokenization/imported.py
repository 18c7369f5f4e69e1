"""A tokenizer trained elsewhere, adapted to the pipeline: its ids stay, and missing special tokens are appended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer

from components.errors import ParameterError
from components.modeling.loading import load_tokenizer
from components.starts import local_folder
from components.tokenization.special_tokens import SPECIAL_TOKENS, add_template

ROLE = "train_tokenizer.from"

STAND_INS = {"cls_token": "bos_token", "sep_token": "eos_token"}
"""Role -> the role whose token is used where the tokenizer lacks one for the first."""


def import_tokenizer(name: str, extra: Sequence[str]) -> tuple[Tokenizer, dict[str, str], str | None]:
    """The tokenizer of a folder or a hub name, the token of each role, and its chat template.

    Raises ParameterError where it cannot be loaded, is none that the Rust library runs, or leaves ids out.
    """
    loaded: Any = load_tokenizer(local_folder(ROLE, name), name, ROLE)
    tokenizer: Tokenizer = loaded.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _refuse_gaps(name, tokenizer)
    roles = _roles(loaded)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in dict.fromkeys([*roles.values(), *extra])]
    )
    if not _frames(tokenizer):
        add_template(tokenizer, roles)
    return tokenizer, roles, loaded.chat_template


def _refuse_gaps(name: str, tokenizer: Tokenizer) -> None:
    ids = sorted(tokenizer.get_vocab(with_added_tokens=True).values())
    missing = next((index for index, found in enumerate(ids) if index != found), None)
    if missing is not None:
        raise ParameterError(
            f"train_tokenizer.from: {name} has no token {missing:,} though it has {len(ids):,} tokens",
            "ids must be 0, 1, 2, … without a gap: a model has one embedding for each",
        )


def _roles(loaded: Any) -> dict[str, str]:
    """The token of each role, none in two: GPT-2 begins and ends a text with one token, others pad with it too."""
    roles: dict[str, str] = {}
    for role in ("sep_token", "cls_token", "mask_token", "pad_token"):
        named = getattr(loaded, role, None) or getattr(loaded, STAND_INS.get(role, role), None)
        taken = named is None or str(named) in roles.values()
        roles[role] = SPECIAL_TOKENS[role] if taken else str(named)
    return {role: roles[role] for role in SPECIAL_TOKENS}


def _frames(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer itself adds special tokens around a text."""
    return len(tokenizer.encode("").ids) > 0
