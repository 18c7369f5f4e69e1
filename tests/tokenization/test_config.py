"""components.tokenization.config."""

from __future__ import annotations

import pytest

from tests.small_params import checked, refused


@pytest.mark.parametrize("token", ["word", "<a b>", "[", ""])
def test_a_special_token_is_a_bracketed_word(token: str) -> None:
    assert f"'{token}' has not the form <name>, <|name|> or [NAME]" in refused(
        {"train_tokenizer.special_tokens": [token]}
    )


def test_a_special_token_is_named_once() -> None:
    assert "a token occurs twice" in refused({"train_tokenizer.special_tokens": ["<a>", "<a>"]})
    assert checked({"train_tokenizer.special_tokens": ["<a>", "<|b|>", "[C]"]})


def test_a_tokenizer_may_come_from_elsewhere() -> None:
    assert checked({"train_tokenizer.from": "models/minilm"}).train_tokenizer.imported == "models/minilm"
