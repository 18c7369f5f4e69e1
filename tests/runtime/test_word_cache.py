"""components.runtime.word_cache: the ids of Hugging Face tokenizers, whatever the text, cut at the same place."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tokenizers import Tokenizer, processors

from components.runtime import word_cache
from components.runtime.word_cache import WordCache
from tests.small_artifacts import sentences

TEXTS = [
    "ship wave harbour",
    "",
    "   ",
    "a [SEP] b [CLS][PAD]",
    "海 船 浪 海 不識廬山真面目，只緣身在此山中。",
    "é\u0301 ﬁ ½ \u3000 \x00 \ufeff 😀👨‍👩‍👧",
    "don't  stop\r\n\ttabs",
    "wheat " * 500,
    "長" * 3000,
]


@pytest.fixture
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))


def cache_of(tokenizer: Tokenizer, max_length: int) -> WordCache:
    found = word_cache.word_cache(json.loads(tokenizer.to_str()), max_length)
    assert found
    return found


@pytest.mark.parametrize("max_length", [3, 16, 512])
def test_ids_are_those_of_hugging_face_tokenizers(tokenizer: Tokenizer, max_length: int) -> None:
    cache = cache_of(tokenizer, max_length)
    tokenizer.enable_truncation(max_length)
    texts = [*TEXTS, *(text for text, _ in sentences(50))]
    assert cache.encode(texts) == [tokenizer.encode(text).ids for text in texts]


def test_the_cache_is_begun_anew_and_the_ids_stay(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tokenizer, 16)
    before, fast = cache.encode(TEXTS), cache._fast
    monkeypatch.setattr(word_cache, "RENEWED_AFTER", 10)
    assert cache.encode(TEXTS) == before
    assert cache._fast is not fast


def test_threads_share_a_cache(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_cache, "RENEWED_AFTER", 500)
    cache, expected = cache_of(tokenizer, 16), cache_of(tokenizer, 16).encode(TEXTS)
    wrong: list[Any] = []

    def work() -> None:
        wrong.extend(1 for _ in range(30) if cache.encode(TEXTS) != expected)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_tokenizer_of_another_form_is_left_to_hugging_face(tokenizer: Tokenizer) -> None:
    other = json.loads(tokenizer.to_str()) | {"normalizer": {"type": "NFC"}}
    assert word_cache.word_cache(other, 16) is None
    tokenizer.post_processor = processors.ByteLevel()
    assert word_cache.word_cache(json.loads(tokenizer.to_str()), 16) is None


def test_no_room_for_a_text_is_left_to_hugging_face(tokenizer: Tokenizer) -> None:
    assert word_cache.word_cache(json.loads(tokenizer.to_str()), 2) is None
