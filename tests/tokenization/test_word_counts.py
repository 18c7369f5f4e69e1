"""Words are counted as the tokenizer will split texts, and come in an order of their own."""

from __future__ import annotations

from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

from components.tokenization.byte_bpe import count_words


def test_words_come_by_frequency_then_by_spelling() -> None:
    words = count_words(["the cat, the dog", "a cat"], BertPreTokenizer())
    assert words == [("cat", 2), ("the", 2), (",", 1), ("a", 1), ("dog", 1)]


def test_texts_are_normalised_before_they_are_split() -> None:
    assert count_words(["Cat CAT cat"], BertPreTokenizer(), Lowercase()) == [("cat", 3)]


def test_byte_level_words_are_in_the_letters_of_bytes() -> None:
    assert dict(count_words(["白 白"], ByteLevel(add_prefix_space=False))) == {"çĻ½": 1, "ĠçĻ½": 1}
