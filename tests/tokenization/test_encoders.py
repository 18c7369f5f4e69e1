"""Both encoders give the same ids for every kind of text; names of special tokens are plain text to both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.errors import ArtifactError
from components.tokenization import encoders
from components.tokenization.encoders import GigatokenEncoder, HuggingFaceEncoder, open_encoder
from tests.small_artifacts import small_tokenizer
from tests.tokenization.small_corpus import BROKEN, CHINESE, CODE, ENGLISH, SPECIAL, small_corpus, train

pytest.importorskip("gigatoken")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders")
    small_corpus(folder / "corpus")
    train(folder)
    return folder / "tokenizer"


def texts(rows: list[tuple[str, str]]) -> pa.Array:
    return pa.array([text for _, text in rows])


def both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[GigatokenEncoder, HuggingFaceEncoder]:
    fast = open_encoder(folder)
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    plain = open_encoder(folder)
    assert isinstance(fast, GigatokenEncoder)
    assert isinstance(plain, HuggingFaceEncoder)
    return fast, plain


@pytest.mark.parametrize(
    "rows", [ENGLISH, CHINESE, CODE, BROKEN, SPECIAL], ids=["en", "zh", "code", "broken", "special"]
)
def test_ids_of_both_encoders_are_the_same(
    tokenizer: Path, rows: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, plain = both(tokenizer, monkeypatch)
    ids, lengths = fast.encode(texts(rows))
    expected, expected_lengths = plain.encode(texts(rows))
    assert np.array_equal(ids, expected)
    assert np.array_equal(lengths, expected_lengths)
    assert (ids == 2).sum() == len(rows)
    assert not np.isin(ids, [0, 1, 3]).any()


def test_a_batch_without_the_separator_never_leaves_gigatoken(tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, plain = both(tokenizer, monkeypatch)
    monkeypatch.setattr(fast._plain, "encode", lambda texts: pytest.fail("encoded by the slow way"))
    rows = [*ENGLISH, *SPECIAL, *(row for row in BROKEN if "\ufdd1" not in row[1])]
    assert np.array_equal(fast.encode(texts(rows))[0], plain.encode(texts(rows))[0])


def test_ids_stay_the_same_when_the_cache_of_words_is_begun_anew(
    tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = open_encoder(tokenizer)
    first = encoder.encode(texts(ENGLISH))[0]
    monkeypatch.setattr(encoders, "RENEWED_AFTER", 10)
    assert all(np.array_equal(encoder.encode(texts(ENGLISH))[0], first) for _ in range(3))


def test_null_is_an_empty_document_and_no_document_is_no_token(
    tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for encoder in both(tokenizer, monkeypatch):
        assert encoder.encode(pa.array([None, ""], pa.string()))[0].tolist() == [2, 2]
        assert encoder.encode(pa.array([], pa.string()))[0].tolist() == []


def test_a_slice_of_a_column_is_encoded_as_its_own_rows(tokenizer: Path) -> None:
    encoder = open_encoder(tokenizer)
    assert np.array_equal(encoder.encode(texts(ENGLISH)[7:9])[0], encoder.encode(texts(ENGLISH[7:9]))[0])


def test_other_kinds_are_encoded_by_hugging_face(tmp_path: Path) -> None:
    small_corpus(tmp_path / "corpus")
    train(tmp_path, kind="wordpiece")
    assert isinstance(open_encoder(tmp_path / "tokenizer"), HuggingFaceEncoder)


def test_a_tokenizer_that_transformers_saved_is_read_too(tmp_path: Path) -> None:
    assert open_encoder(small_tokenizer(tmp_path)).end == 2


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    small_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ArtifactError, match="not a tokenizer"):
        open_encoder(tmp_path)


def test_encoding_does_not_wait_for_pandas(tokenizer: Path, root: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); folder = Path(sys.argv[2])\n"
        "from components.tokenization.shards import Job, make_tokens\n"
        "shard = folder / 'corpus' / 'train' / 'poems-00000.parquet'\n"
        "make_tokens(Job(shard, folder / 'tokenizer', 'hash', {}, 4096, folder / 'cache'))\n"
        "sys.exit('pandas' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(root), str(tokenizer.parent)], check=True)
