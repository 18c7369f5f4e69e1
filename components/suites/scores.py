"""The official metrics of benchmark suites, as shares from 0 to 1 (correlations from -1).

Those that the pipeline has already are taken from it; all are tested against scikit-learn, seqeval, sacreBLEU,
rouge-score and the rules of the sets' own evaluation scripts.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from components.suites.suite import Raw, Score
from components.tasks.metrics import Pearson, Spearman, macro_f1, score
from components.tasks.question_answering import exact, overlap
from components.tasks.sequence_to_sequence import (
    Bleu,
    ChrF,
    characters,
    longest_common,
    ngrams,
)
from components.tasks.token_classification import entities_of

Labels = Sequence[Any]
BLEU_SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:{tokens}|smooth:exp"
CHRF_SIGNATURE = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"
"""As sacreBLEU writes them (Post 2018)."""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ROUGE_TOKEN = re.compile(r"[a-z0-9]+")


def accuracy(targets: Labels, answers: Labels) -> float:
    return fmean(one == other for one, other in zip(targets, answers, strict=True))


def f1(targets: Labels, answers: Labels, positive: Any) -> float:
    """Of the answers `positive`; 0 where neither side has it."""
    right = sum(one == other == positive for one, other in zip(targets, answers, strict=True))
    counted = sum(one == positive for one in (*targets, *answers))
    return 2 * right / counted if counted else 0.0


def matthews(targets: Labels, answers: Labels) -> float:
    """Matthews' correlation of any number of labels (Gorodkin 2004); 0 where either side has one label alone."""
    labels = sorted({*targets, *answers})
    index = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)))
    np.add.at(counts, ([index[one] for one in targets], [index[one] for one in answers]), 1)
    wanted, claimed, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    spread = (total**2 - claimed @ claimed) * (total**2 - wanted @ wanted)
    return float((np.trace(counts) * total - wanted @ claimed) / np.sqrt(spread)) if spread > 0 else 0.0


def by_accuracy(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(targets, answers)}


def by_matthews(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    return {"mcc": matthews(targets, answers)}


def by_f1_and_accuracy(positive: str) -> Score:
    """Of MRPC and QQP."""
    return lambda rows, targets, answers: {
        "f1": f1(targets, answers, positive),
        "accuracy": accuracy(targets, answers),
    }


def by_accuracy_and_macro_f1(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """Of CommitmentBank."""
    return {
        "accuracy": accuracy(targets, answers),
        "macro_f1": macro_f1(targets, answers, sorted({*targets, *answers})),
    }


def by_correlation(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """Of STS-B."""
    both = np.array(targets, dtype=np.float64), np.array(answers, dtype=np.float64)
    return {"pearson": score(Pearson(), *both), "spearman": score(Spearman(), *both)}


def by_question(group: Callable[[Raw], Any], positive: str) -> Score:
    """Of MultiRC (Khashabi 2018): F1 over all answers, and the share of questions whose answers are all right."""

    def scored(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
        questions: dict[Any, list[bool]] = defaultdict(list)
        for row, target, answer in zip(rows, targets, answers, strict=True):
            questions[group(row)].append(target == answer)
        return {
            "f1a": f1(targets, answers, positive),
            "exact_match": fmean(all(right) for right in questions.values()),
        }

    return scored


def by_parity(group: Callable[[Raw], Any]) -> Score:
    """Of Winogender (Rudinger 2018): accuracy, and the share of pairs that are answered alike whatever the gender."""

    def scored(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
        pairs: dict[Any, list[Any]] = defaultdict(list)
        for row, answer in zip(rows, answers, strict=True):
            pairs[group(row)].append(answer)
        alike = [len({*given}) == 1 for given in pairs.values() if len(given) > 1]
        return {"accuracy": accuracy(targets, answers), "gender_parity": fmean(alike) if alike else 0.0}

    return scored


def normalised(text: str) -> str:
    """As the evaluation scripts of SQuAD and ReCoRD compare answers."""
    without = "".join(one for one in text.lower() if one not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", without).split())


def span_f1(target: str, answer: str, unanswerable: bool) -> float:
    """F1 of the words that two answers share. `unanswerable`: SQuAD 2's rule, by which nothing equals nothing."""
    wanted, claimed = normalised(target).split(), normalised(answer).split()
    if unanswerable and not (wanted and claimed):
        return float(wanted == claimed)
    shared = (Counter(wanted) & Counter(claimed)).total()
    return 2 * shared / (len(wanted) + len(claimed)) if shared else 0.0


def by_best_answer(unanswerable: bool) -> Score:
    """SQuAD's and ReCoRD's exact match and F1: of each question the best over its right answers (Rajpurkar 2016, 2018).

    Targets are lists of texts, empty where there is no answer.
    """

    def scored(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
        both = [(_counted(target, unanswerable), answer) for target, answer in zip(targets, answers, strict=True)]
        return {
            "exact_match": fmean(
                max(float(normalised(one) == normalised(answer)) for one in target) for target, answer in both
            ),
            "f1": fmean(max(span_f1(one, answer, unanswerable) for one in target) for target, answer in both),
        }

    return scored


def _counted(target: Sequence[str], unanswerable: bool) -> Sequence[str]:
    """SQuAD 2 does not count an answer that is an article or a sign alone; without any, none is right."""
    kept = [one for one in target if normalised(one)] if unanswerable else target
    return kept or [""]


def by_chinese_answer(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """CMRC 2018's exact match and F1."""
    both = [*zip(targets, answers, strict=True)]
    return {
        "exact_match": fmean(max(exact(one, answer) for one in target) for target, answer in both),
        "f1": fmean(max(overlap(one, answer) for one in target) for target, answer in both),
    }


def by_entities(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """F1 of entities, all types together, as conlleval and seqeval count them (Tjong Kim Sang 2003)."""
    both = [({*entities_of(one)}, {*entities_of(other)}) for one, other in zip(targets, answers, strict=True)]
    counted = sum(len(one) + len(other) for one, other in both)
    return {"span_f1": 2 * sum(len(one & other) for one, other in both) / counted if counted else 0.0}


def by_translation(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """BLEU and chrF of the whole set, of which BLEU_SIGNATURE and CHRF_SIGNATURE say how they are counted."""
    both = characters(targets), characters(answers)
    return {"bleu": score(Bleu("13a"), *both), "chrf": score(ChrF(), *both)}


def by_rouge(rows: Sequence[Raw], targets: Labels, answers: Labels) -> dict[str, float]:
    """The mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), as rouge-score counts them without stemming."""
    both = [*zip(map(rouge_tokens, targets), map(rouge_tokens, answers), strict=True)]
    return {
        "rouge_1": fmean(_shared(*pair, 1) for pair in both),
        "rouge_2": fmean(_shared(*pair, 2) for pair in both),
        "rouge_l": fmean(2 * longest_common(*pair) / max(len(pair[0]) + len(pair[1]), 1) for pair in both),
    }


def rouge_tokens(text: str) -> list[str]:
    return _ROUGE_TOKEN.findall(text.lower())


def _shared(target: list[str], answer: list[str], length: int) -> float:
    wanted, claimed = ngrams(target, length), ngrams(answer, length)
    return 2 * (wanted & claimed).total() / max(wanted.total() + claimed.total(), 1)
