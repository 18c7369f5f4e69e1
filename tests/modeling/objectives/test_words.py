"""components.modeling.objectives.words: tokens that make up a word."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from components.modeling.objectives.words import WordFinder, words_of
from tests.small_families import BERTS, byte_pieces, likely_pieces, word_pieces

TEXT = "the harbour, and boats"


def groups(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The tokens of a text, those of a word together."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    firsts = WordFinder.of(tokenizer).first_tokens(torch.tensor([ids]))[0].tolist()
    found: dict[int, list[int]] = {}
    for token, first in zip(ids, firsts, strict=True):
        found.setdefault(first, []).append(token)
    return [tokenizer.decode(each).strip() for each in found.values()]


@pytest.mark.parametrize(
    "tokenizer",
    [lambda: word_pieces(BERTS, 60), lambda: byte_pieces(BERTS, size=262), likely_pieces],
    ids=["wordpiece", "byte-level", "unigram"],
)
def test_an_english_word_is_one_however_it_is_cut(tokenizer: object) -> None:
    made = tokenizer()  # type: ignore[operator]
    ids = made(TEXT, add_special_tokens=False)["input_ids"]
    assert len(ids) > 5
    found = groups(made, TEXT)
    assert [word for word in found if word.isalpha()] == ["the", "harbour", "and", "boats"]


def test_a_chinese_word_is_what_the_segmenter_says_though_a_token_is_part_of_a_character() -> None:
    text = "我们研究语言模型"
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator([], trainers.BpeTrainer(vocab_size=256, initial_alphabet=alphabet, show_progress=False))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made)
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == 3 * len(text)
    firsts = WordFinder.of(tokenizer).first_tokens(torch.tensor([ids]))[0].tolist()
    assert sorted({*firsts}) == [0, 6, 12, 18]


def test_bytes_that_are_no_character_are_words_by_themselves() -> None:
    assert [*words_of("ab " + b"\xff".decode("utf-8", "surrogateescape") + "c")] == [(0, 2), (3, 4), (4, 5)]
