"""components.analysis.explanations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from components.analysis.config import ExplanationsConfig
from components.analysis.explanations import Piece, analyze, chosen, explain, whole_words
from components.analysis.subject import Subject
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.tasks.question_answering import QuestionAnswering
from tests.small_artifacts import sentences
from tests.small_bundles import CLASSIFIER, bundle
from tests.small_subjects import small_subject

CONFIG = ExplanationsConfig(rows=4, steps=64, tolerance=0.05)
TEXTS = [text.replace("whale", "wave") for text, _ in sentences(96, seed=5)]
TEXTS = [f"{text} whale" if number % 2 else text for number, text in enumerate(TEXTS)]
TARGETS = np.array([0, 1] * 48)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Subject:
    """A model of one layer that has learnt to look for the word `whale`; the label of the first two rows is wrong."""
    folder = tmp_path_factory.mktemp("explained")
    encode = load_tokenizer(tokenizer_folder)
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=len(encode), pad_token_id=0, num_labels=2, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    batch = encode(TEXTS, padding=True, return_tensors="pt")
    feeds = {name: batch[name] for name in ("input_ids", "attention_mask")}
    model.eval()  # without dropout it learns in a moment
    for _ in range(2000):
        loss = model(**feeds, labels=torch.from_numpy(TARGETS)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss <= 0.02:
            break
    assert loss <= 0.02
    save_checkpoint(model, tokenizer_folder, folder / "student")
    bundle(folder / "bundle", CLASSIFIER | {"max_length": 64})
    with torch.no_grad():
        probabilities = model(**feeds).logits.softmax(dim=1).numpy()
    targets = np.concatenate([1 - TARGETS[:2], TARGETS[2:]])
    return small_subject(
        ["none", "whale"],
        TEXTS,
        targets,
        probabilities.argmax(axis=1),
        probabilities,
        student=folder / "student",
        bundle=folder / "bundle",
    )


def test_the_word_that_decided_is_named_and_the_attributions_add_up(subject: Subject) -> None:
    found = analyze(CONFIG, subject)
    assert found is not None
    assert found.metrics == {"rows": 3, "complete": 1.0, "largest_gap": found.metrics["largest_gap"]}
    assert 0 <= found.metrics["largest_gap"] < 0.05
    rows = {row[0]: row for row in found.tables["Words that decided"].rows}
    _, should_be, answer, words, adds_up = rows["test/line-2"]
    assert (should_be, answer, adds_up) == ("none", "whale", "yes")
    assert str(words).split(", ")[0] == "whale"
    html = found.fragments["What each word says for the answer"]
    assert "<b>test/line-2: whale, should be none</b>" in html
    assert found.sentences == (
        "which words decided: the attributions of 3 rows add up to the change of the answer's output",
    )


def test_where_they_do_not_add_up_it_says_so(subject: Subject) -> None:
    found = analyze(CONFIG.model_copy(update={"steps": 8, "tolerance": 1e-9}), subject)
    assert found is not None
    assert found.metrics["complete"] < 1
    assert "do not add up" in found.sentences[0]
    assert "raise analyze.explanations.steps (8)" in found.sentences[0]
    assert "does not add up: off by" in found.fragments["What each word says for the answer"]


def test_a_model_that_counts_positions_by_the_ids_adds_up_too(subject: Subject, tmp_path: Path) -> None:
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = RobertaConfig(vocab_size=1000, pad_token_id=0, num_labels=2, max_position_embeddings=80, **sizes)
    model = RobertaForSequenceClassification(config).eval()
    with torch.no_grad():
        model.roberta.embeddings.position_embeddings.weight *= 50  # positions that matter
    gaps = [explain(CONFIG, subject, model, row).gap for row in range(3)]
    assert max(gaps) < CONFIG.tolerance


def test_of_a_model_that_embeds_tokens_first_it_says_that_it_says_nothing(
    subject: Subject, tokenizer_folder: Path, tmp_path: Path
) -> None:
    config = XLNetConfig(vocab_size=1000, d_model=16, n_layer=1, n_head=2, d_inner=16, num_labels=2)
    save_checkpoint(XLNetForSequenceClassification(config), tokenizer_folder, tmp_path / "student")
    found = analyze(CONFIG, replace(subject, student=tmp_path / "student"))
    assert found is not None
    assert found.sentences == ("which words decided is not told of xlnet: it embeds tokens first and rows second",)


def test_the_errors_that_the_model_was_surest_of_come_first() -> None:
    sure = np.array([0.9, 0.6, 0.8, 0.7, 0.95])
    given = small_subject(["a", "b"], ["x"] * 5, [1, 1, 0, 1, 0], [0] * 5, np.stack([sure, 1 - sure], axis=1))
    assert chosen(given, 12) == [0, 3, 1, 4, 2]
    assert chosen(given, 3) == [0, 3, 4]


def test_parts_of_a_word_are_one_word_and_chinese_characters_are_their_own() -> None:
    pieces = [
        Piece("wh", 1.0),
        Piece("ale", 2.0),
        Piece(",", 0.5),
        Piece(" ship", 1.0),
        Piece("海", 1.0),
        Piece("浪", 2.0),
    ]
    assert [(word.text, word.score) for word in whole_words(pieces)] == [
        ("whale", 3.0),
        (",", 0.5),
        (" ship", 1.0),
        ("海", 1.0),
        ("浪", 2.0),
    ]


def test_it_says_nothing_of_spans() -> None:
    found = np.zeros((1, 1), np.int64)
    task = QuestionAnswering(("start", "end"))
    assert analyze(CONFIG, small_subject([], [("a", "b")], found, found, task=task)) is None
