"""When two texts are the same: one definition for duplicates, removals and held-out rows.

Two texts are the same where nothing tells them apart once both are decoded as they were meant, in one spelling, and
without what is personal. So a copy that was repaired or scrubbed and one that was not are still the same text.
"""

from __future__ import annotations

import hashlib

from components.corpus.encoding import repaired, without_replacements
from components.corpus.normalise import normalise
from components.corpus.personal_data import KINDS, scrubbed


def compared_form(text: str) -> str:
    """What a text is compared by, whatever params.yaml lets stand in it."""
    return scrubbed(without_replacements(normalise(repaired(text)[0]))[0].strip(), KINDS)[0]


def fingerprint(text: str) -> bytes:
    """16 bytes that two texts share only where they are the same."""
    return mark_of(compared_form(text))


def mark_of(form: str) -> bytes:
    """The fingerprint of a text whose compared form is known."""
    return hashlib.sha256(form.encode()).digest()[:16]
