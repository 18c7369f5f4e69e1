"""The report tells what is wasted in a vocabulary and what a text loses on its way through it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from components.tokenization import report
from components.tokenization.report import examine, split_text
from tests.tokenization.small_corpus import CHINESE, ENGLISH, small_corpus, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    small_corpus(folder / "corpus")
    train(folder)
    train(folder, "wordpiece", kind="wordpiece")
    return folder


def edited(folder: Path, to: str, **entries: int) -> Path:
    """The tokenizer with more entries that no merge makes."""
    (folder / to).mkdir()
    content = json.loads((folder / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"] |= entries
    (folder / to / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    config = (folder / "tokenizer" / "tokenizer_config.json").read_text(encoding="utf-8")
    (folder / to / "tokenizer_config.json").write_text(config, encoding="utf-8")
    return folder / to


def test_fertility_counts_the_validation_documents_by_language(folder: Path) -> None:
    found = examine(folder / "tokenizer", folder / "corpus")
    plain = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    english = [text for _, text in ENGLISH[:5]] + ["A text that says [SEP] and [MASK], [PAD][CLS]."]
    plain.encode_special_tokens = True
    assert found.characters["en"] == sum(map(len, english))
    assert found.tokens["en"] == sum(len(plain.encode(text, add_special_tokens=False).ids) for text in english)
    metrics = found.metrics()
    for language in ("en", "zh"):
        product = metrics["characters_per_token"][language] * metrics["tokens_per_character"][language]
        assert product == pytest.approx(1, abs=1e-3)


def test_an_entry_no_merge_makes_is_unreachable_and_unused(folder: Path) -> None:
    before = examine(folder / "tokenizer", folder / "corpus")
    after = examine(edited(folder, "edited", Ġzebra=400), folder / "corpus")
    assert before.unreachable == []
    assert after.unreachable == [" zebra"]
    assert set(after.unused) - set(before.unused) == {" zebra"}


def test_parts_of_characters_are_spelt_in_bytes(folder: Path) -> None:
    assert "<C0>" in examine(folder / "tokenizer", folder / "corpus").unused


def test_special_tokens_are_neither_unused_nor_unreachable(folder: Path) -> None:
    for name in ("tokenizer", "wordpiece"):
        found = examine(folder / name, folder / "corpus")
        assert not {"[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"} & {*found.unused, *found.unreachable}


def test_texts_that_come_back_otherwise_are_told_with_the_place(folder: Path) -> None:
    assert examine(folder / "tokenizer", folder / "corpus").failures == []
    found = examine(folder / "wordpiece", folder / "corpus")
    assert found.round_trips == 12
    assert 0 < len(found.failures) <= 12
    assert "became" in dict(found.failures)["poems/1"]


def test_longest_tokens_come_first(folder: Path) -> None:
    lengths = [len(token) for token in examine(folder / "tokenizer", folder / "corpus").longest]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 5


def test_a_split_text_shows_each_character_once(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    text = "白日依山盡 mat 𠀀 x"
    pieces = split_text(tokenizer, text)
    assert "".join(shown for _, shown in pieces) == text
    assert ("", "") not in pieces
    assert any(shown == "" for _, shown in pieces)  # 𠀀 takes several tokens


def test_examples_are_of_every_language(folder: Path) -> None:
    found = examine(folder / "tokenizer", folder / "corpus")
    assert [language for language, _ in found.examples] == ["en", "en", "en", "zh", "zh", "zh"]


def test_the_sample_takes_a_share_of_every_shard(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SAMPLE", 3)
    found = examine(folder / "tokenizer", folder / "corpus")
    assert set(found.characters) == {"en", "zh"}
    assert found.characters["zh"] >= sum(len(text) for _, text in CHINESE[:5])
