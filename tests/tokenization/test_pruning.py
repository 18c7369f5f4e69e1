import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from components.errors import ArtifactError, ParameterError
from components.modeling.checkpoints import load_tokenizer
from components.tokenization import pruning
from components.tokenization.pruning import prune_tokenizer
from components.tokenization.special_tokens import SPECIAL_TOKENS, transformers_config
from tests.tokenization.small_corpus import ENGLISH, small_corpus, train

ENGLISH_TEXTS = ["The cat sat on the mat.", "The cat number 7 is glad, and it's the cat."]
CHINESE_TEXTS = ["白日依山盡，黃河入海流。", "白日依山。"]
UNSEEN = ["Quite zygomorphic words, naïve 𠀀🙂 \u200d!", "飛流直下三千尺，疑是銀河落九天。", "def f(x):\n\treturn x"]
LENGTH = 64


@pytest.fixture(scope="module", params=["byte_bpe", "unigram", "wordpiece"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of each kind, learnt from English, Chinese and code."""
    folder = tmp_path_factory.mktemp(request.param)
    return made(request.param, folder)


def trimmed(whole: Path, folder: Path, texts: list[str], least: int = 1) -> list[int]:
    folder.mkdir()
    return prune_tokenizer(whole, folder, texts, LENGTH, least)


@pytest.mark.parametrize("texts", [ENGLISH_TEXTS, CHINESE_TEXTS])
def test_training_texts_keep_their_tokens_and_fewer_are_left(whole: Path, texts: list[str], tmp_path: Path) -> None:
    kept = trimmed(whole, tmp_path / "own", texts)
    before, after = load_tokenizer(whole), load_tokenizer(tmp_path / "own")
    assert len(after) == len(kept) < len(before)
    assert [[kept[index] for index in after(text)["input_ids"]] for text in texts] == before(texts)["input_ids"]
    assert after.convert_ids_to_tokens(range(len(kept))) == before.convert_ids_to_tokens(kept)
    for role in ("pad_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token"):
        assert getattr(after, role) == getattr(before, role)
        assert kept[getattr(after, f"{role}_id")] == getattr(before, f"{role}_id")


def test_other_texts_fall_into_smaller_pieces_and_nothing_known_becomes_unknown(whole: Path, tmp_path: Path) -> None:
    trimmed(whole, tmp_path / "own", ENGLISH_TEXTS[:1])
    before, after = load_tokenizer(whole), load_tokenizer(tmp_path / "own")
    for text in [*UNSEEN, *(text for _, text in ENGLISH)]:
        pieces, known = after.tokenize(text), before.tokenize(text)
        assert len(pieces) >= len(known)
        assert pieces.count("[UNK]") == known.count("[UNK]")
        assert after.decode(after(text)["input_ids"]) == before.decode(before(text)["input_ids"])


def test_rare_tokens_go_and_equal_inputs_give_equal_bytes(whole: Path, tmp_path: Path) -> None:
    texts = [text for _, text in ENGLISH]
    every = trimmed(whole, tmp_path / "every", texts)
    often = trimmed(whole, tmp_path / "often", texts, least=40)
    again = trimmed(whole, tmp_path / "again", texts, least=40)
    assert set(often) < set(every)
    assert often == again
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "often" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_word_across_the_cut_keeps_all_its_tokens(tmp_path: Path) -> None:
    whole = made("byte_bpe", tmp_path / "whole")
    tokenizer = load_tokenizer(whole)
    text = next(text for _, text in ENGLISH)
    for length in range(3, len(tokenizer(text)["input_ids"])):
        folder = tmp_path / str(length)
        folder.mkdir()
        kept = prune_tokenizer(whole, folder, [text], length, 1)
        own = load_tokenizer(folder)(text, truncation=True, max_length=length)["input_ids"]
        assert [kept[index] for index in own] == tokenizer(text, truncation=True, max_length=length)["input_ids"]


def test_the_frames_of_bert_and_roberta_and_padding_are_renumbered(tmp_path: Path) -> None:
    words = {"a": 0, "b": 1, "[CLS]": 2, "ab": 3, "[SEP]": 4, "[PAD]": 5, "[MASK]": 6, "[UNK]": 7, "##a": 8, "##b": 9}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]", continuing_subword_prefix="##"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS.values()])
    tokenizer.enable_padding(pad_id=5)
    for frame in (processors.BertProcessing, processors.RobertaProcessing):
        tokenizer.post_processor = processors.Sequence([frame(("[SEP]", 4), ("[CLS]", 2))])
        source, target = tmp_path / f"{frame.__name__}", tmp_path / f"{frame.__name__}-own"
        save(tokenizer, source)
        kept = trimmed(source, target, ["a b"])
        assert kept == [0, 1, 2, 4, 5, 6, 7, 8, 9]  # all but "ab"
        own = Tokenizer.from_file(str(target / "tokenizer.json"))
        assert own.encode("ab").tokens == ["[CLS]", "a", "##b", "[SEP]"]
        assert own.encode("a").ids == [2, 0, 3]
        assert own.padding["pad_id"] == 4


def test_tokens_named_in_the_settings_are_renumbered(whole: Path, tmp_path: Path) -> None:
    source = tmp_path / "whole"
    shutil.copytree(whole, source)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    last = load_tokenizer(source).convert_tokens_to_ids("<extra>")
    settings["added_tokens_decoder"] = {str(last): {"content": "<extra>", "special": True}}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    kept = trimmed(source, tmp_path / "own", ENGLISH_TEXTS)
    written = json.loads((tmp_path / "own" / "tokenizer_config.json").read_text())
    assert [kept[int(index)] for index in written["added_tokens_decoder"]] == [last]


def test_letters_with_two_ways_to_a_token_keep_both(tmp_path: Path) -> None:
    tokens = [*SPECIAL_TOKENS.values(), "a", "b", "c", "ab", "bc", "abc", "cc"]
    merges = [("a", "b"), ("b", "c"), ("c", "c"), ("ab", "c"), ("a", "bc")]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    save(tokenizer, tmp_path / "whole")
    kept = trimmed(tmp_path / "whole", tmp_path / "own", ["abc"])
    assert [tokens[index] for index in kept] == [*SPECIAL_TOKENS.values(), "a", "b", "c", "ab", "bc", "abc"]


def test_a_tokenizer_of_whole_words_is_refused(tmp_path: Path) -> None:
    tokens = [*SPECIAL_TOKENS.values(), "cat"]
    save(Tokenizer(models.WordLevel({token: number for number, token in enumerate(tokens)})), tmp_path / "whole")
    with pytest.raises(ParameterError, match="a WordLevel tokenizer cannot be pruned"):
        trimmed(tmp_path / "whole", tmp_path / "own", ["cat"])


def test_a_text_that_would_be_cut_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot happen to the kinds above: a rule that forgets what a token is made of."""

    def forgetful(model: Any, tokens: set[str], vocabulary: Any) -> set[str]:
        return tokens | {token for token in vocabulary if len(token) == 1}

    monkeypatch.setitem(pruning.KINDS, "BPE", forgetful)
    whole = made("byte_bpe", tmp_path / "whole")
    monkeypatch.setattr(pruning, "_trimmed_model", without_merges(pruning._trimmed_model))
    with pytest.raises(ArtifactError, match="row 1 differently"):
        trimmed(whole, tmp_path / "own", ENGLISH_TEXTS)


def without_merges(rule: Any) -> Any:
    return lambda model, places: {**rule(model, places), "merges": []}


def made(kind: str, folder: Path) -> Path:
    """A tokenizer's folder as the stage train_tokenizer writes it."""
    small_corpus(folder / "corpus")
    train(folder, kind=kind, vocab_size=500, special_tokens=["<extra>"])
    return folder / "tokenizer"


def save(tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(transformers_config(SPECIAL_TOKENS, [], None)))
