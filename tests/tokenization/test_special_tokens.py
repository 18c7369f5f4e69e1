"""What a tokenizer's folder says of its special tokens is what others read there."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import write_json
from components.tokenization.special_tokens import (
    CHAT_TEMPLATES,
    SPECIAL_TOKENS,
    extra_tokens,
    token_of_role,
    transformers_config,
)


def test_a_chat_template_brings_its_tokens_once() -> None:
    assert extra_tokens([], None) == []
    assert extra_tokens(["<a>", "<|im_end|>", "[SEP]"], "chatml") == ["<a>", "<|im_end|>", "<|im_start|>"]


def test_texts_may_name_special_tokens_unless_more_of_them_are_asked_for() -> None:
    plain = transformers_config(SPECIAL_TOKENS, [], None)
    assert plain["split_special_tokens"] is True
    assert "chat_template" not in plain
    assert transformers_config(SPECIAL_TOKENS, ["[E1]"], None)["split_special_tokens"] is False
    template = CHAT_TEMPLATES["chatml"][1]
    chat = transformers_config(SPECIAL_TOKENS, ["<|im_start|>"], template)
    assert (chat["split_special_tokens"], chat["chat_template"]) == (False, template)


@pytest.mark.parametrize("written", ["</s>", {"content": "</s>", "lstrip": False}])
def test_the_token_of_a_role_is_read_in_both_forms(tmp_path: Path, written: object) -> None:
    write_json(tmp_path / "tokenizer_config.json", {"sep_token": written})
    assert token_of_role(tmp_path, "sep_token") == "</s>"
