"""Any token of the stream leads back to its document, any document to its tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from tokenizers import Tokenizer

from components.corpus.config import SourceConfig
from components.errors import ArtifactError
from components.tokenization.lineage import TokenSpan, _shards, _spans, token_spans
from components.tokenization.reader import PackedTokens
from tests.tokenization.small_corpus import CHINESE, CODE, ENGLISH, contents, pack, small_corpus, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANZI_CACHE", str(folder / "cache"))
        small_corpus(folder / "corpus")
        train(folder)
        twice = {"poems": SourceConfig(weight=2.0, language="zh", licence="MIT")}
        pack(folder, shard_tokens=1024, sources=twice)
    return folder


def documents_between(tokens: Path, split: str, start: int, stop: int) -> list[TokenSpan]:
    """The documents that the tokens start .. stop - 1 of a split's stream belong to, in their order."""
    found: list[TokenSpan] = []
    for path, first, count in _shards(tokens, split):
        if first < stop and start < first + count:
            here = (ds.field("end") > start - first) & (ds.field("begin") < stop - first)
            found += _spans(path, split, first, here)
    return found


def text(folder: Path, split: str, begin: int, end: int) -> str:
    ids = PackedTokens(folder / "tokens", split).gather(np.array([begin]), end - begin)[0]
    assert ids[-1] == 2
    return str(Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json")).decode(ids[:-1].tolist()))


def test_all_documents_cover_the_stream_without_a_gap(folder: Path) -> None:
    for split in ("train", "validation"):
        count = len(PackedTokens(folder / "tokens", split))
        places = documents_between(folder / "tokens", split, 0, count)
        assert [place.begin for place in places] == [0, *(place.end for place in places[:-1])]
        assert places[-1].end == count


def test_each_place_holds_the_text_of_its_document(folder: Path) -> None:
    rows = {"garden": [*ENGLISH, *CODE], "poems": CHINESE}
    places = documents_between(folder / "tokens", "train", 0, len(PackedTokens(folder / "tokens", "train")))
    checked = [place for place in places if not place.id.startswith("strange")]
    assert len(checked) == 90 + 2 * 40
    for place in checked:
        source = place.id.partition("/")[0]
        assert place.file == f"corpus/{source}.jsonl"
        assert text(folder, "train", place.begin, place.end) == rows[source][place.line - 1][1]


def test_a_range_finds_the_documents_it_touches_and_no_other(folder: Path) -> None:
    every = documents_between(folder / "tokens", "train", 0, 10**9)
    for first in (0, 88, 89, 90, 130):  # within a shard, over its end, into a document's second copy
        begin, end = every[first].begin, every[first + 2].end
        assert documents_between(folder / "tokens", "train", begin, end) == every[first : first + 3]
        assert documents_between(folder / "tokens", "train", begin + 1, begin + 2) == every[first : first + 1]
    assert documents_between(folder / "tokens", "train", 10**9, 10**9 + 5) == []


def test_a_document_is_found_wherever_it_was_put(folder: Path) -> None:
    places = token_spans(folder / "tokens", "poems/3")
    assert [place.split for place in places] == ["train", "train", "validation"]
    assert {text(folder, place.split, place.begin, place.end) for place in places} == {CHINESE[2][1]}
    assert token_spans(folder / "tokens", "nobody/1") == []


def test_a_missing_list_of_documents_is_named(folder: Path, tmp_path: Path) -> None:
    for name, content in contents(folder / "tokens").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "train" / "poems-00000.documents.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"poems-00000\.documents\.parquet: missing"):
        token_spans(tmp_path, "poems/3")
