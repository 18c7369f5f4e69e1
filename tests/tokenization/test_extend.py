"""A tokenizer gains tokens for a language that it lacks, and reads its own as before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from transformers import AutoTokenizer

from components.errors import ParameterError
from components.tokenization.extend import extended
from components.tokenization.plain_byte_bpe import is_plain_byte_bpe
from tests.tokenization.small_corpus import CHINESE, ENGLISH, Rows, train, trainer_config, write_corpus
from tests.tokenization.test_imported import bert_like, gpt2_like

GREEK: Rows = [("el", f"η θάλασσα και το καράβι {letter}") for letter in "αβγδεζ" * 5]


@pytest.mark.parametrize(("base", "new"), [(gpt2_like, "θάλασσα"), (bert_like, "θάλασσα")])
def test_new_words_are_fewer_tokens_and_old_texts_read_as_before(
    base: Callable[[Path], Path], new: str, tmp_path: Path
) -> None:
    before = AutoTokenizer.from_pretrained(base(tmp_path / "theirs"))
    write_corpus(tmp_path / "corpus", {"sea-00000": GREEK}, {"sea-00000": GREEK[:2]})
    sizes = [
        train(tmp_path, to, **{"from": str(tmp_path / "theirs"), "extend": count})["vocab_size"]
        for to, count in (("plain", 0), ("more", 60), ("again", 60))
    ]
    plain, more = (AutoTokenizer.from_pretrained(tmp_path / name) for name in ("plain", "more"))
    assert sizes[0] + 20 < sizes[1] <= sizes[0] + 60
    assert (tmp_path / "more/tokenizer.json").read_bytes() == (tmp_path / "again/tokenizer.json").read_bytes()
    assert plain.get_vocab().items() <= more.get_vocab().items()
    assert sorted(more.get_vocab().values()) == [*range(len(more))]
    for _, text in [*ENGLISH, *CHINESE]:
        assert more(text)["input_ids"] == plain(text)["input_ids"]
    assert len(more.tokenize(new)) < max(len(before.tokenize(new)), 2)
    ids = more(new)["input_ids"]
    assert (ids[0], ids[-1]) == (more.cls_token_id, more.sep_token_id)


def test_what_gigatoken_would_read_otherwise_is_read_by_hugging_face(tmp_path: Path) -> None:
    gpt2_like(tmp_path / "theirs")
    write_corpus(tmp_path / "corpus", {"sea-00000": GREEK}, {"sea-00000": GREEK[:2]})
    for count, plain in ((0, True), (60, False)):
        train(tmp_path, **{"from": str(tmp_path / "theirs"), "extend": count})
        content = json.loads((tmp_path / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
        assert is_plain_byte_bpe(content) == plain


def test_what_cannot_be_extended_is_refused() -> None:
    with pytest.raises(ParameterError, match="tokens can be added to BPE and WordPiece"):
        extended(Tokenizer(Unigram()), 5, 2, [])
    with pytest.raises(ValidationError, match="`from` names, which is null: raise vocab_size"):
        trainer_config(extend=5)
