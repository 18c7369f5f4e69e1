"""The tokenizers for which gigatoken (Rust, caches whole words) gives the same ids as Hugging Face tokenizers."""

from __future__ import annotations

from typing import Any

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
PLAIN_BPE = {"type": "BPE", "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
RENEWED_AFTER = 6 << 20
"""The cache of words in gigatoken is cleared after so many bytes of text, since it grows with every encoded text."""


def is_plain_byte_bpe(content: dict[str, Any]) -> bool:
    """Whether a tokenizer.json is byte-level BPE with GPT-2's pre-tokenizer and special tokens alone: the tested
    form.
    """
    model, split = content["model"], content["pre_tokenizer"] or {}
    return (
        content["normalizer"] is None
        and all(model.get(name) == value for name, value in PLAIN_BPE.items())
        and not (model.get("byte_fallback") or model.get("ignore_merges"))
        and all(split.get(name) == value for name, value in BYTE_LEVEL.items())
        and all(token["special"] for token in content["added_tokens"])
        and not _is_extended(content)
    )


def _is_extended(content: dict[str, Any]) -> bool:
    """Whether there are merges that gigatoken reads otherwise: two of one token, or with special tokens between."""
    merges = content["model"]["merges"]
    made = [merge.replace(" ", "") if isinstance(merge, str) else "".join(merge) for merge in merges]
    ids = [content["model"]["vocab"][token] for token in made]
    first, last = min(ids, default=0), max(ids, default=0)
    return len({*ids}) < len(ids) or any(first < token["id"] < last for token in content["added_tokens"])
