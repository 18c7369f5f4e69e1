"""components.tokenization.plain_byte_bpe: only the form that was tried counts as plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.tokenization.plain_byte_bpe import is_plain_byte_bpe


@pytest.fixture
def content(tokenizer_folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tokenizer_folder / "tokenizer.json").read_text(encoding="utf-8"))
    return found


def test_gpt_2s_form_is_plain(content: dict[str, Any]) -> None:
    assert is_plain_byte_bpe(content)


def test_another_normalizer_split_model_or_added_word_is_not(content: dict[str, Any]) -> None:
    ordinary = {**content["added_tokens"][0], "special": False}
    for changed in (
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": content["pre_tokenizer"] | {"add_prefix_space": True}},
        {"model": content["model"] | {"type": "WordPiece"}},
        {"model": content["model"] | {"byte_fallback": True}},
        {"added_tokens": [ordinary]},
    ):
        assert not is_plain_byte_bpe(content | changed)
