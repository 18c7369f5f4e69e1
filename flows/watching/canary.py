"""Is a challenger that answers a share of the texts no worse than the champion? By the servers' log.

The hash of a text decides which version answers it, so both get texts of the same kind, and the champion is asked again
what the challenger answered: both are compared on the same texts. How good the answers are was for the gates to say, by
labelled rows. A canary finds what test rows cannot show: failures, slowness, answers that are quite others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist, median
from typing import Any

import numpy as np

from components.deployment.config import WatchConfig
from flows.watching.requests import answered

Answer = tuple[str, float | None]
Rows = Sequence[dict[str, Any]]
SAMPLES = 1000
"""Of the bootstrap of a ratio of medians."""
MOST = 5000
"""Rows of a side, the latest."""


@dataclass(frozen=True)
class Trial:
    """What became of a canary. answers: it gave; passed: None as long as too few are there; sentences: one a check."""

    version: str
    answers: int
    passed: bool | None
    sentences: tuple[str, ...]

    @property
    def line(self) -> str:
        """The outcome with its reasons."""
        word = {None: "goes on", True: "was no worse", False: "was worse"}[self.passed]
        return f"canary v{self.version} {word}: {'; '.join(self.sentences)}"


def judge_canary(
    rows: Rows,
    champion: str,
    challenger: str,
    limits: WatchConfig,
    ask: Callable[[list[str]], list[Answer]] | None,
) -> Trial:
    """Judge the challenger by the rows of its task in the log.

    `ask`: the champion's answers to texts; None where a logged text is not what a model is asked with. A check refuses
    only where the whole one-sided interval, at limits.false_alarm_rate, is on the wrong side.
    """
    ours = [row for row in rows if row["version"] == challenger][-MOST:]
    answers = [row for row in ours if answered(row)]
    if not ours:
        return Trial(challenger, 0, None, ("nothing was asked yet: `lianzi serve champion --canary SHARE` serves it",))
    began = min(row["time"] for row in ours)
    theirs = [row for row in rows if row["version"] == champion and row["time"] >= began][-MOST:]
    checks = [_failures(ours, theirs, limits)]
    if len(answers) < limits.canary_rows:
        waits = f"{len(answers)} of {limits.canary_rows} answers"
        return Trial(challenger, len(answers), None if checks[0][0] else False, (waits, checks[0][1]))
    checks += [_milliseconds(answers, [row for row in theirs if answered(row)], limits)]
    checks += _same_texts(answers, limits, ask)
    sentences = (f"{len(answers)} answers", *(sentence for _, sentence in checks))
    return Trial(challenger, len(answers), all(passed for passed, _ in checks), sentences)


def _failures(ours: Rows, theirs: Rows, limits: WatchConfig) -> tuple[bool, str]:
    """Fisher's exact test, one-sided, on requests."""
    (failed, asked), (before, asked_before) = _counts(ours), _counts(theirs)
    passed = p_of_more(failed, asked, before, asked_before) > limits.false_alarm_rate
    return passed, f"{failed} of {asked} requests failed, of the champion's {before} of {asked_before}"


def _counts(rows: Rows) -> tuple[int, int]:
    return len({row["request"] for row in rows if not answered(row)}), len({row["request"] for row in rows})


def p_of_more(failed: int, asked: int, before: int, asked_before: int) -> float:
    """The probability of so many failures among `asked`, or more, if both fail alike (hypergeometric)."""
    every, total = asked + asked_before, failed + before
    ways = sum(comb(asked, k) * comb(asked_before, total - k) for k in range(failed, min(asked, total) + 1))
    return ways / comb(every, total)


def _milliseconds(ours: Rows, theirs: Rows, limits: WatchConfig) -> tuple[bool, str]:
    one, other = ([row["milliseconds"] for row in rows if row["milliseconds"]] for rows in (ours, theirs))
    if not one or not other:
        return True, "times were not compared"
    chance = np.random.default_rng(0)
    ratios = np.array([_resampled(one, chance) / _resampled(other, chance) for _ in range(SAMPLES)])
    low = float(np.quantile(ratios, limits.false_alarm_rate))
    told = f"{median(one):.1f} ms at the median, the champion {median(other):.1f} ms"
    return low <= limits.max_slowdown, f"{told}, watch.max_slowdown allows {limits.max_slowdown:g} times"


def _resampled(values: Sequence[float], chance: np.random.Generator) -> float:
    return float(np.median(chance.choice(values, len(values))))


def _same_texts(
    rows: Rows, limits: WatchConfig, ask: Callable[[list[str]], list[Answer]] | None
) -> list[tuple[bool, str]]:
    """Agreement and confidence beside the champion's on the same texts."""
    if ask is None:
        return []
    champion = ask([row["text"] for row in rows])
    z = NormalDist().inv_cdf(1 - limits.false_alarm_rate)
    equal = sum(row["answer"] == answer for row, (answer, _) in zip(rows, champion, strict=True))
    high = _wilson_high(equal, len(rows), z)
    told = f"{equal / len(rows):.1%} of answers are the champion's, watch.min_agreement asks for"
    checks = [(high >= limits.min_agreement, f"{told} {limits.min_agreement:.0%}")]
    pairs = zip((row["score"] for row in rows), (score for _, score in champion), strict=True)
    gains = np.array([one - other for one, other in pairs if one is not None and other is not None])
    if len(gains) > 1:
        mean, spread = float(gains.mean()), float(gains.std(ddof=1)) / sqrt(len(gains))
        told = f"confidence {mean:+.3f} on the same texts, watch.max_confidence_loss allows a loss of"
        checks += [(mean + z * spread >= -limits.max_confidence_loss, f"{told} {limits.max_confidence_loss:g}")]
    return checks


def _wilson_high(count: int, of: int, z: float) -> float:
    """The upper end of Wilson's interval of a share."""
    share = count / of
    centre, spread = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (centre + spread) / (1 + z * z / of)
