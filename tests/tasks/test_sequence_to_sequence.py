"""Tasks that are answered with a text: their metrics are sacreBLEU's and rouge's, their targets the tokens to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from components.errors import DataError
from components.modeling.checkpoints import load_tokenizer
from components.tasks.kinds import task_of
from components.tasks.metrics import score
from components.tasks.sequence_to_sequence import (
    Bleu,
    ChrF,
    RougeL,
    SequenceToSequence,
    characters,
    longest_common,
    texts_of,
)
from components.tasks.summarization import Summarization
from components.tasks.translation import Translation

KINDS: tuple[type[SequenceToSequence], ...] = (Translation, Summarization)
ROW = {"id": "train/line-1", "text": "ship wave harbour", "target": "sea city"}

PIECES = ["sea", "the", "city,", "3,000", "don't", "&", "a.b", "7-8", "(sea)", "二〇二六年", "海"]
words = st.lists(st.sampled_from(PIECES), max_size=9)
pairs = st.lists(st.tuples(words.map(" ".join).filter(bool), words.map(" ".join)), min_size=1, max_size=5)


@given(pairs)
def test_chrf_is_that_of_sacrebleu(rows: list[tuple[str, str]]) -> None:
    targets, answers = zip(*rows, strict=True)
    expected = CHRF().corpus_score(list(answers), [list(targets)]).score
    assert 100 * score(ChrF(), characters(targets), characters(answers)) == pytest.approx(expected)


@pytest.mark.parametrize("tokens", ["13a", "char"])
@given(rows=pairs)
def test_bleu_is_that_of_sacrebleu(tokens: str, rows: list[tuple[str, str]]) -> None:
    targets, answers = zip(*rows, strict=True)
    expected = BLEU(tokenize=tokens).corpus_score(list(answers), [list(targets)]).score
    metric = Bleu("char" if tokens == "char" else "13a")
    assert 100 * score(metric, characters(targets), characters(answers)) == pytest.approx(expected, abs=1e-9)


def test_rouge_l_is_that_of_the_papers_example() -> None:
    """Lin 2004, section 3.1: 3 of 4 words in order, then 2 of 4."""
    target = characters(["police killed the gunman"] * 2)
    found = RougeL().statistics(target, characters(["Police kill the gunman.", "the gunman kill police"]))
    assert found.tolist() == [[0.75, 1.0], [0.5, 1.0]]


def test_rouge_l_reads_chinese_by_characters() -> None:
    assert score(RougeL(), characters(["床前明月光"]), characters(["明月光"])) == 0.75
    assert longest_common("abcbdab", "bdcaba") == 4


@given(st.lists(st.text("aé字😀 \n", max_size=8), min_size=1, max_size=4))
def test_an_array_of_characters_is_its_texts(texts: list[str]) -> None:
    assert texts_of(characters(texts)) == texts


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_a_target_are_learned_and_the_end_behind_them(
    kind: type[SequenceToSequence], tokenizer_folder: Path
) -> None:
    task, tokenizer = kind.fit(["sea city"]), load_tokenizer(tokenizer_folder)
    [example] = task.encode([ROW], tokenizer, 24)
    assert tokenizer.decode(example.features["input_ids"]) == "[CLS]ship wave harbour[SEP]"
    [learned] = task.learned([ROW], [example])
    assert tokenizer.decode(learned) == "sea city[SEP]"
    assert task.values(task.targets([ROW])) == ["sea city"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_is_too_long_is_refused_by_its_row(
    kind: type[SequenceToSequence], tokenizer_folder: Path
) -> None:
    row = ROW | {"target": "sea city " * 40}
    with pytest.raises(DataError, match=r"train/line-1: its target has \d+ tokens, and max_length is 24"):
        kind.fit(["x"]).encode([row], load_tokenizer(tokenizer_folder), 24)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_sum_over_the_targets_tokens(kind: type[SequenceToSequence]) -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]]))
    loss = kind.fit(["x"]).loss(logits, torch.tensor([[1, -100]]))
    assert loss.item() == pytest.approx(np.log(4))


def test_bleu_cuts_chinese_into_characters() -> None:
    made = Translation.fit(["二〇二六年", "三月"])
    assert made.metrics[1] == Bleu("char")
    assert task_of(made.manifest()) == made
    assert task_of(Translation.fit(["March"]).manifest()).metrics[1] == Bleu("13a")
    assert task_of(Summarization.fit(["x"]).manifest()).metrics[0] == RougeL()


def test_an_empty_target_is_none() -> None:
    with pytest.raises(ValueError, match="target ' ' is no text"):
        Translation.fit(["x"]).check(" ")


def test_answers_are_the_same_where_every_character_is() -> None:
    task, one, other = Translation.fit(["x"]), characters(["sea", "city"]), characters(["sea", "cities"])
    assert task.same(one, other).tolist() == [True, False]
    assert task.agreement(one, other) == 0.5
