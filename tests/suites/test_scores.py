"""components.suites.scores: on random answers the metrics are those of the reference implementations."""

from __future__ import annotations

import re
import string
import sys
import warnings
from collections import Counter
from typing import Any

import pytest
from absl import logging as absl_logging
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import f1_score as seqeval_f1
from sklearn import metrics as sk

from components.suites import scores
from components.suites.superglue import nearest_entity

# rouge-score logs through absl, whose handler closes the stream it was made with when logging is set up anew: pytest's,
# had it been made with that. The process's own it leaves open.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__

LABELS = ("a", "b", "c")
WORDS = ("the", "a", "sea", "Sea", "ship,", "an", "whale", "!", "2", "harbour-wall", "e.g.")
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")

labels = st.lists(st.tuples(*[st.sampled_from(LABELS)] * 2), min_size=2, max_size=40)
texts = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


@given(labels)
def test_labels_are_scored_as_by_scikit_learn(rows: list[tuple[str, str]]) -> None:
    targets, answers = map(list, zip(*rows, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that one side lacks
        assert scores.accuracy(targets, answers) == pytest.approx(sk.accuracy_score(targets, answers))
        assert scores.matthews(targets, answers) == pytest.approx(sk.matthews_corrcoef(targets, answers))
        wanted = sk.f1_score(targets, answers, labels=["a"], average="micro", zero_division=0)
        assert scores.f1(targets, answers, "a") == pytest.approx(wanted)
        both = scores.by_accuracy_and_macro_f1([], targets, answers)
        assert both["macro_f1"] == pytest.approx(sk.f1_score(targets, answers, average="macro"))


@given(st.lists(st.tuples(st.floats(0, 5, width=32), st.floats(0, 5, width=32)), min_size=3, max_size=30))
def test_numbers_are_correlated_as_by_scipy(rows: list[tuple[float, float]]) -> None:
    targets, answers = map(list, zip(*rows, strict=True))
    found = scores.by_correlation([], targets, answers)
    if min(map(_spread, (targets, answers))) > 1e-3:
        assert found["pearson"] == pytest.approx(pearsonr(targets, answers).statistic, abs=1e-6)
        assert found["spearman"] == pytest.approx(spearmanr(targets, answers).statistic, abs=1e-6)


def _spread(values: list[float]) -> float:
    return max(values) - min(values)


@given(st.lists(st.lists(st.tuples(*[st.sampled_from(TAGS)] * 2), min_size=1, max_size=8), min_size=1, max_size=6))
def test_entities_are_scored_as_by_seqeval(rows: list[list[tuple[str, str]]]) -> None:
    targets, answers = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = seqeval_f1(targets, answers)
    assert scores.by_entities([], targets, answers)["span_f1"] == pytest.approx(float(expected))


@given(pairs)
def test_translations_are_scored_as_by_sacrebleu(rows: list[tuple[str, str]]) -> None:
    targets, answers = map(list, zip(*rows, strict=True))
    found = scores.by_translation([], targets, answers)
    bleu, chrf = BLEU(), CHRF()
    assert 100 * found["bleu"] == pytest.approx(bleu.corpus_score(answers, [targets]).score)
    assert 100 * found["chrf"] == pytest.approx(chrf.corpus_score(answers, [targets]).score)
    assert scores.BLEU_SIGNATURE.format(tokens="13a") in str(bleu.get_signature())
    assert scores.CHRF_SIGNATURE in str(chrf.get_signature())


@given(pairs)
def test_summaries_are_scored_as_by_rouge_score(rows: list[tuple[str, str]]) -> None:
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    theirs = [scorer.score(target, answer) for target, answer in rows]
    found = scores.by_rouge([], *map(list, zip(*rows, strict=True)))
    for ours, name in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        assert found[ours] == pytest.approx(sum(one[name].fmeasure for one in theirs) / len(rows))


def squads_words(text: str) -> list[str]:
    """SQuAD's rules in their order: lower case, no punctuation, no articles, single blanks."""
    without = "".join(one for one in text.lower() if one not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", without).split()


def squads_f1(target: str, answer: str, second: bool) -> float:
    wanted, claimed = squads_words(target), squads_words(answer)
    if second and not (wanted and claimed):
        return float(wanted == claimed)
    same = sum((Counter(wanted) & Counter(claimed)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(claimed), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("second", [False, True])
@given(rows=st.lists(st.tuples(st.lists(texts, min_size=1, max_size=3), texts), min_size=1, max_size=6))
def test_spans_are_scored_by_squads_rules(rows: list[tuple[list[str], str]], second: bool) -> None:
    exact, f1 = [], []
    for targets, answer in rows:
        gold = [one for one in targets if squads_words(one)] or [""] if second else targets
        exact.append(max(squads_words(one) == squads_words(answer) for one in gold))
        f1.append(max(squads_f1(one, answer, second) for one in gold))
    found = scores.by_best_answer(second)([], *map(list, zip(*rows, strict=True)))
    assert found["exact_match"] == pytest.approx(sum(exact) / len(rows))
    assert found["f1"] == pytest.approx(sum(f1) / len(rows))


def test_no_answer_is_right_where_there_is_none() -> None:
    score = scores.by_best_answer(unanswerable=True)
    assert score([], [[], []], ["", "a whale"]) == {"exact_match": 0.5, "f1": 0.5}


def test_a_question_is_right_where_all_its_answers_are() -> None:
    rows: list[dict[str, Any]] = [{"idx": number} for number in (0, 0, 1, 1)]
    score = scores.by_question(lambda row: row["idx"], "True")
    found = score(rows, ["True", "False", "True", "True"], ["True", "False", "True", "False"])
    assert found == {"f1a": pytest.approx(2 * 2 / (3 + 2)), "exact_match": 0.5}


def test_a_pair_is_fair_where_both_are_answered_alike() -> None:
    rows: list[dict[str, Any]] = [{"idx": number} for number in range(4)]
    score = scores.by_parity(lambda row: row["idx"] // 2)
    assert score(rows, ["a", "a", "b", "b"], ["a", "a", "a", "b"]) == {"accuracy": 0.75, "gender_parity": 0.5}


def test_the_answer_to_a_cloze_is_an_entity_of_the_passage() -> None:
    raw = {"entities": ["Ahab", "the White Whale"]}
    assert nearest_entity(raw, "white whale of") == "the White Whale"
    assert nearest_entity(raw, "nobody") == "nobody"
