"""Text as it grows: whole characters only, and nothing that may turn out to be the beginning of a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

INCOMPLETE = "\ufffd"
LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8, so tokens that a byte-level tokenizer may cut one into."""

CONTEXT = 8
"""Tokens of the prompt that are decoded too: whether a word begins with a space shows only behind another."""


class StreamingDetokenizer:
    """The text of a row's tokens so far."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], stop: Sequence[str]) -> None:
        self.tokenizer, self.stop = tokenizer, stop
        self.ids = list(prompt[-CONTEXT:])
        self.start, self.read = 0, len(self.ids)
        self.text = ""
        """All whole characters."""
        self.stopped = False
        self.done = False

    def add(self, token: int) -> None:
        """Take in one more token; `stopped` tells whether a stop text is now complete. Nothing follows one."""
        if self.stopped:
            return
        self.ids.append(token)
        before = self._decoded(self.start, self.read)
        now = self._decoded(self.start, len(self.ids))
        if now.endswith(INCOMPLETE) and len(self.ids) - self.read < LONGEST_CHARACTER:
            return
        known = len(self.text)
        self.text += now[len(before) :]
        self.start, self.read = self.read, len(self.ids)
        # What was there before holds no stop text: one can only end in what is new.
        found = [
            place for place in (self.text.find(stop, max(0, known - len(stop) + 1)) for stop in self.stop) if place >= 0
        ]
        if found:
            self.text, self.stopped = self.text[: min(found)], True

    @property
    def shown(self) -> str:
        """What may be told by now: it only ever grows."""
        return self.text if self.done or self.stopped else self.text[: len(self.text) - self._held()]

    def _held(self) -> int:
        """Characters at the end that are the beginning of a stop text."""
        return max((_overlap(self.text, stop) for stop in self.stop), default=0)

    def _decoded(self, start: int, stop: int) -> str:
        return self.tokenizer.decode(self.ids[start:stop], skip_special_tokens=True)


def _overlap(text: str, stop: str) -> int:
    """The longest end of `text` that is the beginning of `stop`, and not all of it."""
    tail = text[max(0, len(text) - len(stop) + 1) :]
    place = tail.find(stop[0])
    while place >= 0 and not stop.startswith(tail[place:]):
        place = tail.find(stop[0], place + 1)
    return len(tail) - place if place >= 0 else 0
