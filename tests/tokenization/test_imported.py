"""A tokenizer from elsewhere keeps its ids and gains what the pipeline needs, or is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from components.errors import ParameterError
from components.tokenization.imported import import_tokenizer
from components.tokenization.reader import PackedTokens
from tests.tokenization.small_corpus import ENGLISH, EVERYTHING, pack, small_corpus, train


def gpt2_like(folder: Path) -> Path:
    """Byte-level BPE whose one special token, the last id, begins and ends a text."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([text for _, text in EVERYTHING], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|end|>", eos_token="<|end|>", unk_token="<|end|>")
    fast.save_pretrained(folder)
    return folder


def bert_like(folder: Path) -> Path:
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({letter for _, text in ENGLISH for letter in text if not letter.isspace()})
    vocabulary = [*names, *letters, *(f"##{letter}" for letter in letters)]
    wordpiece = Tokenizer(models.WordPiece({token: index for index, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    frame = [("[CLS]", 2), ("[SEP]", 3)]
    wordpiece.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    roles = {f"{name[1:-1].lower()}_token": name for name in names}
    PreTrainedTokenizerFast(tokenizer_object=wordpiece, **roles).save_pretrained(folder)
    return folder


def test_ids_stay_and_missing_special_tokens_follow_them(tmp_path: Path) -> None:
    before = AutoTokenizer.from_pretrained(gpt2_like(tmp_path / "theirs"))
    small_corpus(tmp_path / "corpus")
    size = train(tmp_path, **{"from": str(tmp_path / "theirs")})["vocab_size"]
    after = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert size == len(after) == len(before) + 3
    assert before.get_vocab().items() <= after.get_vocab().items()
    assert (after.eos_token, after.sep_token) == ("<|end|>", "<|end|>")
    added = [after.pad_token, after.cls_token, after.mask_token]
    assert added == ["[PAD]", "[CLS]", "[MASK]"]
    assert all(index >= len(before) for index in after.convert_tokens_to_ids(added))
    ids = after("The cat")["input_ids"]
    assert ids == [after.cls_token_id, *before("The cat")["input_ids"], after.sep_token_id]


def test_a_tokenizer_with_all_roles_stays_as_it_is(tmp_path: Path) -> None:
    before = AutoTokenizer.from_pretrained(bert_like(tmp_path / "theirs"))
    small_corpus(tmp_path / "corpus")
    train(tmp_path, **{"from": str(tmp_path / "theirs")})
    after = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert after.get_vocab() == before.get_vocab()
    assert after("The cat")["input_ids"] == before("The cat")["input_ids"]


def test_documents_end_in_the_imported_tokenizers_own_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    gpt2_like(tmp_path / "theirs")
    small_corpus(tmp_path / "corpus")
    train(tmp_path, **{"from": str(tmp_path / "theirs")})
    pack(tmp_path)
    packed = PackedTokens(tmp_path / "tokens", "train")
    end = AutoTokenizer.from_pretrained(tmp_path / "tokenizer").sep_token_id
    assert (packed.gather(np.array([0]), len(packed)) == end).sum() == len(EVERYTHING)


def test_a_chat_template_of_its_own_is_kept_and_ours_is_put_in_its_place(tmp_path: Path) -> None:
    folder = gpt2_like(tmp_path / "theirs")
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}!")
    small_corpus(tmp_path / "corpus")
    for template, expected in ((None, "ok!"), ("chatml", "<|im_start|>user\nok<|im_end|>\n")):
        train(tmp_path, **{"from": str(folder), "chat_template": template})
        after = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
        assert after.apply_chat_template([{"role": "user", "content": "ok"}], tokenize=False) == expected


def test_a_name_that_nothing_can_be_loaded_from_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match=r"train_tokenizer\.from: .*empty: no tokenizer here"):
        import_tokenizer(str(tmp_path / "empty"), [])
    (tmp_path / "empty" / "tokenizer.json").write_text("{}")
    with pytest.raises(ParameterError, match=r"train_tokenizer\.from: cannot load '.*empty'"):
        import_tokenizer(str(tmp_path / "empty"), [])


def test_ids_with_gaps_are_refused(tmp_path: Path) -> None:
    path = bert_like(tmp_path) / "tokenizer.json"
    content: dict[str, Any] = json.loads(path.read_text())
    content["model"]["vocab"] |= {"far": 900}
    path.write_text(json.dumps(content))
    with pytest.raises(ParameterError, match="has no token"):
        import_tokenizer(str(tmp_path), [])


def test_a_tokenizer_written_in_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        pass

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda name, **options: Slow())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "vocab.txt").touch()
    with pytest.raises(ParameterError, match="is a Slow, written in Python"):
        import_tokenizer(str(tmp_path), [])
