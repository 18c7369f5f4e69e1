"""Texts with a tag for each word: named entities, in BIO, or parts of speech and the like, in tags of their own.

Words are found in the text alone, so a tagger answers about the same words whatever cuts text into tokens. A word is a
run of letters, a run of digits, or any other character that is no blank; Chinese characters stand alone. That is how
BERT cuts text before its vocabulary is asked (Devlin 2019), but for digits: `Paris.` in a text has the words that
`Paris .` has in a file of tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from components.tasks.metrics import Accuracy, Metric
from components.tasks.task import NO_TARGET, Column, Example, Output, Row, Task, padded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

Span = tuple[int, int]
"""From a character up to before another."""

CUT = -1
"""The place of a word that has no token: it stands behind the longest text that the model reads."""

OUTSIDE = "O"
_TAG = re.compile(r"([BIES])-(\S+)")
_BEGINS, _ENDS = frozenset("BS"), frozenset("ES")
_ALONE = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])[^\W\d_])+|\d+|[^\s]")


def words_of(text: str) -> list[Span]:
    """Where each word stands."""
    return [found.span() for found in _WORD.finditer(text)]


def places_of(words: Sequence[Span], offsets: Sequence[Span]) -> list[int]:
    """The token that each word begins in, CUT where there is none; a token may hold the beginning of several.

    `offsets`: the characters that each token stands for; of special tokens none.
    """
    places, token = [], 0
    for begin, end in words:
        while token < len(offsets) and (offsets[token][1] <= begin or offsets[token][0] == offsets[token][1]):
            token += 1
        places.append(token if token < len(offsets) and offsets[token][0] < end else CUT)
    return places


class Entity(NamedTuple):
    """From the first word up to before the last, and the type."""

    first: int
    end: int
    label: str


def prefix_and_type(tag: str) -> tuple[str, str]:
    """`B-LOC` as B and LOC, `O` as O and nothing. Raises ValueError for another form."""
    found = _TAG.fullmatch(tag)
    if tag != OUTSIDE and not found:
        raise ValueError(f"tag {tag!r:.60} is not O, B-TYPE, I-TYPE, E-TYPE or S-TYPE (BIO or IOBES)")
    return (found[1], found[2]) if found else (OUTSIDE, "")


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """The entities that a row's tags mark, as conlleval (Tjong Kim Sang 2000) and seqeval read BIO and IOBES.

    One begins at a B or S, and also at an I or E that nothing of its type stands before. Raises ValueError for another
    tag.
    """
    found: list[Entity] = []
    before, kind, first = OUTSIDE, "", 0
    for place, tag in enumerate((*tags, OUTSIDE)):
        prefix, label = prefix_and_type(tag)
        goes_on = bool(kind) and label == kind and prefix not in _BEGINS and before not in _ENDS
        if not goes_on:
            if kind:
                found.append(Entity(first, place, kind))
            kind, first = label, place
        before = prefix
    return found


def bio(entities: Sequence[Entity], length: int) -> list[str]:
    """The tags of `length` words, in BIO."""
    tags = [OUTSIDE] * length
    for first, end, label in entities:
        tags[first:end] = [f"B-{label}", *[f"I-{label}"] * (end - first - 1)]
    return tags


@dataclass(frozen=True)
class SpanF1(Metric):
    """F1 of entities, all types together: right are those with the beginning, end and type of a target's (seqeval).

    0 where neither targets nor answers have an entity. `labels`: the tags that the numbers stand for.
    """

    labels: tuple[str, ...]
    name = "span_f1"
    title = "span F1"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each row the entities that are right, those of the target and those of the answer: [rows, 3]."""
        pairs = zip(self.entities(targets), self.entities(answers), strict=True)
        return np.array([(len({*one} & {*other}), len(one), len(other)) for one, other in pairs], dtype=np.float64)

    def entities(self, rows: np.ndarray) -> list[list[Entity]]:
        """Those of each row of tags' numbers [rows, words]; negative ones are no words."""
        return [entities_of([self.labels[number] for number in row if number >= 0]) for row in rows]

    def value(self, sums: np.ndarray) -> np.ndarray:
        found: np.ndarray = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)
        return found


@dataclass(frozen=True)
class TokenAccuracy(Accuracy):
    """The share of words with the right tag."""

    name = "token_accuracy"
    title = "token accuracy"

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        words = targets >= 0
        right = words & (targets == same_width(targets, answers))
        return np.stack([right.sum(axis=1), words.sum(axis=1)], axis=1).astype(np.float64)


def same_width(targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Answers [rows, words] as wide as the targets, which may stand beside longer rows; no more words there are."""
    found = np.full(targets.shape, NO_TARGET)
    width = min(targets.shape[1], answers.shape[1])
    found[:, :width] = answers[:, :width]
    return found


@dataclass(frozen=True)
class TokenClassification(Task):
    """Cross-entropy over the first token of each word, whose likeliest tag is the word's (Devlin 2019).

    `metric`: by `span_f1` tags mark entities; by `token_accuracy` each is of its word alone.
    """

    metric: str = SpanF1.name

    kind = "token_classification"
    columns: ClassVar = {"text": Column.TEXT, "tokens": Column.TOKENS, "tags": Column.TAGS}
    target = "tags"
    head = "tokens"
    output = Output("logits", "categorical", per_token=True)

    @classmethod
    def fit(cls, targets: Sequence[Any], metric: str = SpanF1.name) -> Self:
        if metric != SpanF1.name:
            tags = sorted({tag for row in targets for tag in row})
            if len(tags) < 2:
                raise ValueError(f"every train row has the tag {tags[0]} alone; a tagger needs two or more")
            return cls(tuple(tags), metric)
        types = sorted({entity.label for tags in targets for entity in entities_of(tags)})
        if not types:
            raise ValueError(f"every train row has the tag {OUTSIDE} alone; a tagger needs an entity")
        return cls((OUTSIDE, *(f"{prefix}-{name}" for name in types for prefix in "BI")))

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        found = cls(tuple(made["labels"]), made.get("metric", SpanF1.name))
        for tag in found.labels if found.marks_entities else ():
            prefix_and_type(tag)
        return found

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | ({} if self.marks_entities else {"metric": self.metric})

    @property
    def marks_entities(self) -> bool:
        """Whether tags mark entities."""
        return self.metric == SpanF1.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (SpanF1(self.labels), TokenAccuracy()) if self.marks_entities else (TokenAccuracy(),)

    @property
    def expected(self) -> str:
        return f"a list with one of {', '.join(self.labels)} for each word"

    def check(self, target: object) -> None:
        if not isinstance(target, list) or not target:
            raise ValueError(f"tags {target!r:.60} are no list of tags")
        if strange := next((tag for tag in target if tag not in self.labels), None):
            raise ValueError(f"tag {strange!r:.60} is not among the tags")

    def check_row(self, row: Row) -> None:
        super().check_row(row)
        if len(row["tags"]) != (words := len(words_of(row["text"]))):
            raise ValueError(f"{len(row['tags'])} tags for a text of {words} words")

    def row(self, text: str, target: Any) -> dict[str, Any]:
        return {"text": text, "tokens": [text[begin:end] for begin, end in words_of(text)], "tags": target}

    def classes(self, target: Any) -> list[str]:
        return [entity.label for entity in entities_of(target)] if self.marks_entities else list(target)

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        numbers = {label: number for number, label in enumerate(self.labels)}
        return padded([[numbers[tag] for tag in row["tags"]] for row in rows])

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        texts = [row["text"] for row in rows]
        found = tokenizer(texts, truncation=True, max_length=max_length, return_offsets_mapping=True)
        return [
            Example({"input_ids": ids}, row, self.places(texts[row], offsets))
            for row, (ids, offsets) in enumerate(zip(found["input_ids"], found["offset_mapping"], strict=True))
        ]

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> list[np.ndarray]:
        numbers = {label: number for number, label in enumerate(self.labels)}
        found = []
        for example in examples:
            targets = np.full(len(example.features["input_ids"]), NO_TARGET, dtype=np.int64)
            # Backwards: where several words begin in one token, the first has it.
            for place, tag in reversed(list(zip(example.places, rows[example.row]["tags"], strict=True))):
                if place != CUT:
                    targets[place] = numbers[tag]
            found.append(targets)
        return found

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        from torch.nn.functional import cross_entropy

        logits, wanted = outputs.float().flatten(0, 1), targets.flatten()
        return cross_entropy(logits, wanted, ignore_index=NO_TARGET, label_smoothing=label_smoothing, reduction="sum")

    def words(self, text: str) -> list[Span]:
        return words_of(text)

    def places(self, text: str, offsets: Sequence[Span]) -> list[int]:
        return places_of(words_of(text), offsets)

    def reduced(self, outputs: Sequence[np.ndarray], places: Sequence[Sequence[int]]) -> np.ndarray:
        """Outputs of words [rows, words, labels] from those of tokens [length, labels] of each row; NaN where a row has
        no more words.

        A word that was cut away is outside. One that begins within another's token goes on with what that is, so its
        `B-` counts for `I-`.
        """
        width = max((len(row) for row in places), default=0)
        found = np.full((len(places), width, len(self.labels)), np.nan, dtype=np.float32)
        outside = np.array(self.labels) == OUTSIDE
        cut = np.where(outside | ~outside.any(), np.float32(0), np.float32(-np.inf))
        for number, row in enumerate(places):
            kept = np.array(row, dtype=np.int64)
            here = np.nan_to_num(outputs[number][np.maximum(kept, 0)].astype(np.float32), nan=-np.inf)
            shared = np.flatnonzero((kept[1:] == kept[:-1]) & (kept[1:] != CUT)) + 1
            here[shared] = self._going_on(here[shared]) if self.marks_entities else here[shared]
            here[kept == CUT] = cut
            found[number, : len(row)] = here
        return found

    def _going_on(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in which each `I-` has what its `B-` had too."""
        found = outputs.copy()
        for number, label in enumerate(self.labels):
            inside = f"I-{label[2:]}"
            if label.startswith("B-") and inside in self.labels:
                other = self.labels.index(inside)
                found[:, other] = np.maximum(outputs[:, number], outputs[:, other])
                found[:, number] = -np.inf
        return found

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The tag of each word, as its number: [rows, words], NO_TARGET where a row has no more words."""
        words = ~np.isnan(outputs).all(axis=-1)
        return np.where(words, np.nan_to_num(outputs, nan=-np.inf, neginf=-np.inf).argmax(axis=-1), NO_TARGET)

    def values(self, answers: np.ndarray) -> list[Any]:
        if answers.ndim == 1:  # of words, without their rows
            return [self.labels[number] for number in answers]
        return [[self.labels[number] for number in row if number != NO_TARGET] for row in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        alike: np.ndarray = (one == same_width(one, other)).all(axis=1)
        return alike

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of words that two models tag alike."""
        mine, others = self.pairs(one, other)
        return float((mine == others).mean())

    def entities(self, answers: np.ndarray) -> list[Entity]:
        """Those that the tags mark; of other tags each word with its own."""
        if not self.marks_entities:
            return [Entity(n, n + 1, self.labels[tag]) for n, tag in enumerate(answers.tolist()) if tag != NO_TARGET]
        return SpanF1(self.labels).entities(answers[None])[0]

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        """By type of entity, or by tag."""
        if not self.marks_entities:
            return super().class_counts(targets, answers)
        both = [SpanF1(self.labels).entities(rows) for rows in (targets, answers)]
        right = [sorted({*one} & {*other}) for one, other in zip(*both, strict=True)]
        counts = [Counter(entity.label for row in rows for entity in row) for rows in (right, *both)]
        types = dict.fromkeys(label[2:] for label in self.labels if label != OUTSIDE)
        return {name: (counts[0][name], counts[1][name], counts[2][name]) for name in types}

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, words = same_width(targets, answers), targets >= 0
        return targets[words], found[words]
