"""Is a challenger that answers a share of the texts no worse than the champion? By the servers' log.

The hash of a text decides which version answers it, so both get texts of the same kind, and the champion is asked again
what the challenger answered: both are compared on the same texts. How good the answers are was for the gates to say, by
labelled rows. A canary finds what test rows cannot show: failures, slowness, answers that are quite others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, median
from typing import Any

import numpy as np

from components.analysis.rates import Rate
from components.deployment.config import WatchConfig
from flows.watching.requests import answered

Answer = tuple[str, float | None]
Rows = Sequence[dict[str, Any]]
SAMPLES = 1000
"""Of the bootstrap of a ratio of medians."""
MOST = 5000
"""Requests of a side, and texts, the latest."""


@dataclass(frozen=True)
class Request:
    """The rows of the log that one request gave, one a text: it came, failed and took its time as a whole."""

    rows: Rows

    @property
    def time(self) -> str:
        return str(self.rows[0]["time"])

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(row["text"] for row in self.rows)

    @property
    def answered(self) -> bool:
        return all(map(answered, self.rows))

    @property
    def milliseconds(self) -> float:
        return float(self.rows[0]["milliseconds"] or 0)


@dataclass(frozen=True)
class Trial:
    """What became of a canary. answers: to different texts; passed: None as long as too few are there; sentences: one a
    check."""

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
    since: str = "",
) -> Trial:
    """Judge the challenger by the rows of its task in the log.

    `ask`: the champion's answers to texts; None where a logged text is not what a model is asked with. `since`: when it
    became challenger. A check refuses only where the whole one-sided interval, at limits.false_alarm_rate, is on the
    wrong side.
    """
    # What a version was asked by its number, or as another server's only model, is no share of the same texts.
    ours = requests_of(row for row in rows if row["version"] == challenger and row["canary"] and row["time"] >= since)
    if not ours:
        return Trial(challenger, 0, None, ("nothing was asked yet: `lianzi serve champion --canary SHARE` serves it",))
    began = ours[0].time
    theirs = requests_of(row for row in rows if row["version"] == champion and row["time"] >= began)
    # One text goes to the same version always: asked a hundred times it is still one piece of evidence.
    different = _different(ours)
    answers = list({row["text"]: row for request in different for row in request.rows}.values())[-MOST:]
    count, least = min(len(different), len(answers)), limits.canary_rows
    if count < least or len(theirs) < least:
        fails_no_more, sentence = _failures_so_far(ours, theirs, limits.false_alarm_rate / 2)
        waits = f"{count} of {least} answers to different texts, {min(len(theirs), least)} of {least} by the champion"
        return Trial(challenger, count, None if fails_no_more else False, (waits, sentence))
    checks = [_failures(ours[-MOST:], theirs[-MOST:], limits.false_alarm_rate / 2)]
    checks += [_milliseconds(different, _different(theirs), limits), *_same_texts(answers, limits, ask)]
    sentences = (f"{count} answers to different texts", *(sentence for _, sentence in checks))
    return Trial(challenger, count, all(passed for passed, _ in checks), sentences)


def requests_of(rows: Iterable[dict[str, Any]]) -> list[Request]:
    """The requests of rows, the oldest first. Clients may give one id twice: a request has one time, too."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["time"], row["request"]), []).append(row)
    return sorted(map(Request, found.values()), key=lambda one: one.time)


def _different(requests: Sequence[Request]) -> list[Request]:
    """The last answered request of each text, or texts."""
    return list({one.texts: one for one in requests if one.answered}.values())[-MOST:]


def _failures_so_far(ours: Sequence[Request], theirs: Sequence[Request], rate: float) -> tuple[bool, str]:
    """The test at 1, 2, 4, 8 … requests alone, and at shares of the rate that add up to it: one that is looked at every
    few minutes would else fail by chance sooner or later."""
    look = len(ours).bit_length()
    first = ours[: 1 << (look - 1)]
    before = [one for one in theirs if one.time <= first[-1].time][-MOST:]
    return _failures(first, before, rate / (look * (look + 1)), "the first ")


def _failures(ours: Sequence[Request], theirs: Sequence[Request], rate: float, which: str = "") -> tuple[bool, str]:
    """Fisher's exact test, one-sided, on requests: of one that failed the log has no text, so repeats count."""
    failed, before = (sum(not one.answered for one in side) for side in (ours, theirs))
    passed = p_of_more(failed, len(ours), before, len(theirs)) > rate
    return passed, f"{failed} of {which}{len(ours)} requests failed, of the champion's {before} of {len(theirs)}"


def p_of_more(failed: int, asked: int, before: int, asked_before: int) -> float:
    """The probability of so many failures among `asked`, or more, if both fail alike (hypergeometric)."""
    from scipy.stats import hypergeom

    return float(hypergeom.sf(failed - 1, asked + asked_before, failed + before, asked))


def _milliseconds(ours: Sequence[Request], theirs: Sequence[Request], limits: WatchConfig) -> tuple[bool, str]:
    """Medians of requests of about as many texts: of the power of two that both were asked with most."""
    one, other = _times(ours), _times(theirs)
    size = max(one, key=lambda size: min(len(one[size]), len(other.get(size, ()))), default=0)
    if size not in other:
        return True, "times were not compared"
    mine, champions = one[size], other[size]
    chance = np.random.default_rng(0)
    ratios = np.array([_resampled(mine, chance) / _resampled(champions, chance) for _ in range(SAMPLES)])
    low = float(np.quantile(ratios, limits.false_alarm_rate))
    told = f"{median(mine):.1f} ms at the median, the champion {median(champions):.1f} ms"
    return low <= limits.max_slowdown, f"{told}, watch.max_slowdown allows {limits.max_slowdown:g} times"


def _times(requests: Sequence[Request]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for one in requests:
        if one.milliseconds:
            found.setdefault(len(one.texts).bit_length(), []).append(one.milliseconds)
    return found


def _resampled(values: Sequence[float], chance: np.random.Generator) -> float:
    return float(np.median(chance.choice(values, len(values))))


def _same_texts(
    rows: Rows, limits: WatchConfig, ask: Callable[[list[str]], list[Answer]] | None
) -> list[tuple[bool, str]]:
    """Agreement and confidence beside the champion's on the same texts."""
    if ask is None:
        return []
    rows = [row for row in rows if not _scrubbed(row["text"])]  # the challenger was asked with what is not in the log
    if not rows:
        return [(True, "answers were not compared: each text had personal data")]
    champion = ask([row["text"] for row in rows])
    z = NormalDist().inv_cdf(1 - limits.false_alarm_rate)
    equal = sum(row["answer"] == answer for row, (answer, _) in zip(rows, champion, strict=True))
    high = Rate.of(equal, len(rows), 1 - 2 * limits.false_alarm_rate).high
    told = f"{equal / len(rows):.1%} of answers are the champion's, watch.min_agreement asks for"
    checks = [(high >= limits.min_agreement, f"{told} {limits.min_agreement:.0%}")]
    pairs = zip((row["score"] for row in rows), (score for _, score in champion), strict=True)
    gains = np.array([one - other for one, other in pairs if one is not None and other is not None])
    if len(gains) > 1:
        mean, spread = float(gains.mean()), float(gains.std(ddof=1)) / sqrt(len(gains))
        told = f"confidence {mean:+.3f} on the same texts, watch.max_confidence_loss allows a loss of"
        checks += [(mean + z * spread >= -limits.max_confidence_loss, f"{told} {limits.max_confidence_loss:g}")]
    return checks


def _scrubbed(text: str) -> bool:
    from components.corpus.personal_data import KINDS

    return any(kind.placeholder in text for kind in KINDS.values())
