"""Rows of the examples `sentiment`, `pair` and `multiple_choice`: reviews with a rating, two days, and sentences with
a gap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from sample_data import Row

LEAST_RATING = 0.5
"""Of -4 to 4, the mean of some twenty people; nearer to 0 a sentence has no label."""
LEAST_WORDS, MOST_CHARACTERS = 3, 200
FIRST, SPAN, PAIRS = date(1000, 1, 1), 383_500, 6000
"""Days up to 2049."""
GAP, CHOICES = "___", 4
PREPOSITIONS = ("as", "at", "by", "for", "from", "in", "of", "on", "to", "with")
_PREPOSITION = re.compile(rf"(?<= )({'|'.join(PREPOSITIONS)})(?= [a-zA-Z])")


def drawn(seed: str, limit: int) -> int:
    """A number below a limit that depends on a text alone."""
    return int.from_bytes(sha256(seed.encode()).digest()[:8]) % limit


def reviews(path: Path) -> Iterator[Row]:
    """Sentences of reviews, each with the sign of its mean rating; none with an e-mail address."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        _, rating, text = line.split("\t", 2)
        text = " ".join(text.split())
        if "@" in text:
            continue
        if abs(float(rating)) >= LEAST_RATING and len(text.split()) >= LEAST_WORDS and len(text) <= MOST_CHARACTERS:
            yield {"text": text, "label": "positive" if float(rating) > 0 else "negative"}


def two_days() -> Iterator[Row]:
    """A day in words beside another in figures, which is earlier or later."""
    for number in range(PAIRS):
        one, other = (FIRST + timedelta(days=drawn(f"day {number} {side}", SPAN)) for side in (0, 1))
        text = f"{one:%B} {one.day}, {one.year}"
        yield {"text": text, "text_pair": other.isoformat(), "label": "earlier" if other < one else "later"}


def gaps(sentences: Iterable[str]) -> Iterator[Row]:
    """A sentence without one of its prepositions, which is to be chosen among four."""
    for sentence in sentences:
        places = list(_PREPOSITION.finditer(sentence))
        if not places or len(sentence) > MOST_CHARACTERS:
            continue
        taken = places[drawn(sentence, len(places))]
        others = sorted((one for one in PREPOSITIONS if one != taken[0]), key=lambda one: drawn(sentence + one, 2**32))
        choices = sorted([taken[0], *others[: CHOICES - 1]])
        text = sentence[: taken.start()] + GAP + sentence[taken.end() :]
        yield {"text": text, "choices": choices, "label": choices.index(taken[0])}
