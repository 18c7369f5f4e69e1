"""Both trainers find the same merges, so the tokenizer's bytes do not tell which one worked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from components.corpus.documents import ROWS, write_shard
from components.tokenization import byte_bpe
from components.tokenization.byte_bpe import by_gigatoken, by_hugging_face, byte_letters, train_byte_bpe
from tests.tokenization.small_corpus import BROKEN, CHINESE, CODE, ENGLISH, EVERYTHING, SPECIAL, documents

pytest.importorskip("gigatoken")
NAMES = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


def shards(folder: Path, *sources: list[tuple[str, str]]) -> list[Path]:
    paths = [folder / f"{number}.parquet" for number in range(len(sources))]
    for path, rows in zip(paths, sources, strict=True):
        write_shard(path, documents(path.stem, rows))
    return paths


@pytest.mark.parametrize(
    "rows",
    [ENGLISH, CHINESE, CODE, BROKEN * 40, SPECIAL * 40, EVERYTHING],
    ids=["en", "zh", "code", "broken", "special", "everything"],
)
def test_merges_of_both_trainers_are_the_same(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    paths = shards(tmp_path, rows[::2], rows[1::2])
    fast = by_gigatoken(275, 2, NAMES, paths)
    assert fast is not None
    assert fast.to_str() == by_hugging_face(275, 2, NAMES, paths).to_str()


@pytest.mark.parametrize(("size", "min_frequency"), [(5000, 2), (400, 70), (320, 1)])
def test_both_trainers_stop_at_the_same_merge(tmp_path: Path, size: int, min_frequency: int) -> None:
    paths = shards(tmp_path, EVERYTHING)
    found = train_byte_bpe(size, min_frequency, NAMES, paths)
    assert found.to_str() == by_hugging_face(size, min_frequency, NAMES, paths).to_str()


def test_training_works_without_gigatoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = shards(tmp_path, EVERYTHING)
    expected = train_byte_bpe(320, 2, NAMES, paths).to_str()
    monkeypatch.setattr(byte_bpe, "find_spec", lambda name: None)
    monkeypatch.setattr(byte_bpe, "by_gigatoken", lambda *given: pytest.fail("gigatoken was used"))
    assert train_byte_bpe(320, 2, NAMES, paths).to_str() == expected


def test_gigatoken_works_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = shards(tmp_path, EVERYTHING)
    assert isinstance(by_gigatoken(320, 2, NAMES, paths), Tokenizer)
    assert capfd.readouterr() == ("", "")


def test_bytes_have_the_letters_that_hugging_face_gives_them() -> None:
    assert sorted(byte_letters()) == sorted(ByteLevel.alphabet())
    written = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str("白 \x00~é")
    assert "".join(word for word, _ in written) == "".join(byte_letters()[byte] for byte in "白 \x00~é".encode())


@pytest.mark.parametrize(("times", "found"), [(2, True), (3, False)])
def test_a_token_is_counted_beyond_the_first_batch_too_and_never_twice(tmp_path: Path, times: int, found: bool) -> None:
    rows = [("en", "zebra"), *[("en", "x")] * ROWS, ("en", "zebra")]
    tokenizer = by_hugging_face(265, 2, NAMES, shards(tmp_path, rows))
    last = tokenizer.token_to_id("zebra")
    assert byte_bpe._occurs(last, times, tokenizer, "[SEP]", shards(tmp_path, rows)) is found
