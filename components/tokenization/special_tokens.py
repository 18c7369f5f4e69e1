"""Special tokens and the Hugging Face config of a tokenizer: by default [PAD]=0 [CLS]=1 [SEP]=2 [MASK]=3."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

SPECIAL_TOKENS = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
UNKNOWN = "[UNK]"
"""For WordPiece alone: a byte-level tokenizer can encode every text."""

CHAT_TEMPLATES: dict[str, tuple[tuple[str, ...], str]] = {
    "chatml": (
        ("<|im_start|>", "<|im_end|>"),
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    )
}
"""Name -> the special tokens it needs, and the Jinja template that transformers renders."""


def extra_tokens(special_tokens: Sequence[str], chat_template: str | None) -> list[str]:
    """The special tokens besides the four roles, without repetition: the configured ones and those of the chat
    template.
    """
    needed = CHAT_TEMPLATES[chat_template][0] if chat_template else ()
    return [token for token in dict.fromkeys([*special_tokens, *needed]) if token not in SPECIAL_TOKENS.values()]


def add_template(tokenizer: Tokenizer, roles: Mapping[str, str] = SPECIAL_TOKENS) -> None:
    """Have the tokenizer encode a text as "[CLS] text [SEP]"; `roles`: token by role."""
    begin, end = roles["cls_token"], roles["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )


def transformers_config(roles: Mapping[str, str], extra: Sequence[str], chat_template: str | None) -> dict[str, Any]:
    """tokenizer_config.json: nothing of a library's version or of where the tokenizer stands.

    `roles`: token by role, such as `sep_token`. Whoever asks for more special tokens has texts with them in: markers
    of a rendered conversation, or of entities. Without them a text that says "[SEP]" means the five letters.
    """
    content: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **roles,
        "bos_token": roles["cls_token"],
        "eos_token": roles["sep_token"],
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": not extra,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    if extra:
        content["extra_special_tokens"] = list(extra)
    if chat_template is not None:
        content["chat_template"] = chat_template
    return content


def token_of_role(folder: Path, role: str) -> str:
    """The token of a role in a tokenizer's folder, in either form that transformers writes."""
    named = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))[role]
    return str(named["content"] if isinstance(named, dict) else named)
