"""WordPiece merges what is frequent inside words, and knows the letters it has seen."""

from __future__ import annotations

from pathlib import Path

from components.corpus.documents import write_shard
from components.tokenization.wordpiece import train_wordpiece
from tests.tokenization.small_corpus import CHINESE, ENGLISH, documents

NAMES = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


def shard(folder: Path, texts: list[str]) -> list[Path]:
    write_shard(folder / "a.parquet", documents("a", [("en", text) for text in texts]))
    return [folder / "a.parquet"]


def test_frequent_parts_become_tokens_with_a_prefix_inside_words(tmp_path: Path) -> None:
    words = [f"{stem}ing {stem}ed" for stem in ("walk", "talk", "play", "jump", "bark", "sail", "help")]
    tokenizer = train_wordpiece(60, 2, NAMES, shard(tmp_path, words))
    assert "##ing" in tokenizer.get_vocab()
    assert tokenizer.encode("helking").tokens[-1] == "##ing"
    assert tokenizer.decode(tokenizer.encode("walking talked").ids) == "walking talked"


def test_a_han_character_is_a_word_and_an_unseen_letter_is_unknown(tmp_path: Path) -> None:
    tokenizer = train_wordpiece(300, 2, NAMES, shard(tmp_path, [text for _, text in [*CHINESE, *ENGLISH]]))
    assert tokenizer.encode("白日，cat").tokens == ["白", "日", "，", "cat"]
    assert tokenizer.encode("ж").tokens == ["[UNK]"]
    assert tokenizer.token_to_id("[UNK]") == 4


def test_rare_parts_are_not_merged(tmp_path: Path) -> None:
    tokenizer = train_wordpiece(300, 3, NAMES, shard(tmp_path, ["abc abc xyz xyz xyz"]))
    assert {"xyz"} <= set(tokenizer.get_vocab())
    assert "abc" not in tokenizer.get_vocab()


def test_letters_of_half_the_vocabulary_at_most_are_kept(tmp_path: Path) -> None:
    letters = [chr(0x4E00 + number) * (2 if number < 20 else 1) for number in range(400)]
    tokenizer = train_wordpiece(105, 2, NAMES, shard(tmp_path, [" ".join(letters)]))
    assert tokenizer.get_vocab_size() == 5 + 50
    assert tokenizer.token_to_id("一") is not None
