"""A model's own rules for the next token, from its generation config: applied to the logits before one is taken.

The order and the arithmetic are those of transformers' logits processors, so that greedy answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BANNED = np.float32(-np.inf)


@dataclass(frozen=True)
class Rules:
    """All neutral by default, as `generate` is without a config.

    repetition_penalty: divides a token's score once it was read or said (Keskar et al. 2019). no_repeat_ngram_size:
    tokens of a sequence that stands in the text once at most (Paulus et al. 2017); encoder_…: that stands in the
    source. bad_words_ids: sequences that are never said. min_length (with the prompt), min_new_tokens: until then no
    end. forced_bos_token_id: the second token of a text that began with one; forced_eos_token_id: the last one, where
    there is no room for more. suppress_tokens: never; begin_suppress_tokens: not first. top_k, min_p: of a draw.
    end_ids: the tokens that count as an end here.
    """

    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    min_length: int = 0
    min_new_tokens: int = 0
    forced_bos_token_id: int | None = None
    forced_eos_token_id: tuple[int, ...] = ()
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    end_ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Rules:
        """From a manifest."""
        return cls(**{name: _frozen(value) for name, value in written.items()})

    @property
    def largest(self) -> int:
        """The largest token id that scores are looked up by; -1 where there is none."""
        forced = () if self.forced_bos_token_id is None else (self.forced_bos_token_id,)
        return max((*self.suppress_tokens, *self.begin_suppress_tokens, *self.forced_eos_token_id, *forced), default=-1)

    def apply(self, logits: np.ndarray, read: Sequence[int], new: int, last: bool, source: Sequence[int]) -> np.ndarray:
        """The scores of the next token, float32 (vocabulary,).

        read: the tokens so far, those of a prompt among them; new: how many of them were generated; last: whether
        there is no room for more than one; source: what an encoder has read.
        """
        if self == NEUTRAL:
            return logits
        scores = logits.astype(np.float32)
        self._penalize(scores, read)
        banned = [
            *_continuations(read, read, self.no_repeat_ngram_size),
            *_continuations(source, read, self.encoder_no_repeat_ngram_size),
            *self._bad(read),
            *(self.end_ids if len(read) < self.min_length or new < self.min_new_tokens else ()),
        ]
        scores[[one for one in banned if one < len(scores)]] = BANNED
        if self.forced_bos_token_id is not None and len(read) == 1:
            scores = _only(scores, (self.forced_bos_token_id,))
        if self.forced_eos_token_id and last:
            scores = _only(scores, self.forced_eos_token_id)
        scores[list(self.suppress_tokens)] = BANNED
        if self.begin_suppress_tokens and new == self._first(len(read) - new):
            scores[list(self.begin_suppress_tokens)] = BANNED
        # Where nothing at all may be said, the model says what it would have: a row must end somehow.
        return scores if np.isfinite(scores.max()) else logits

    def _penalize(self, scores: np.ndarray, read: Sequence[int]) -> None:
        if self.repetition_penalty != 1:
            seen = [one for one in set(read) if one < len(scores)]
            penalty = np.float32(self.repetition_penalty)
            scores[seen] = np.where(scores[seen] < 0, scores[seen] * penalty, scores[seen] / penalty)

    def _bad(self, read: Sequence[int]) -> list[int]:
        """The last tokens of bad words whose beginning has just been read."""
        words = (word for word in self.bad_words_ids if word[:1] != word or word[0] not in self.end_ids)
        return [
            word[-1]
            for word in words
            if len(word) - 1 <= len(read) and tuple(read[len(read) - len(word) + 1 :]) == word[:-1]
        ]

    def _first(self, prompt: int) -> int:
        """Which of the generated tokens is the first that the model chooses."""
        return 1 if prompt <= 1 and self.forced_bos_token_id is not None else 0


NEUTRAL = Rules()


def _continuations(text: Sequence[int], read: Sequence[int], size: int) -> list[int]:
    """The tokens that would complete a sequence of `size` which stands in `text` already."""
    if size < 1 or len(read) + 1 < size:
        return []
    begun = tuple(read[len(read) - size + 1 :])
    return [text[at + size - 1] for at in range(len(text) - size + 1) if tuple(text[at : at + size - 1]) == begun]


def _only(scores: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    forced = np.full_like(scores, BANNED)
    forced[list(kept)] = 0
    return forced


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
