"""Sentences with a tag for each word, as CoNLL columns or as lists in a row, and as texts whose entities are spans.

Files cut sentences into tokens in ways of their own. What is kept of them is the text and where entities stand in it;
a text that was repaired or scrubbed keeps those of its words that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from components.corpus.record import Record, kind_of
from components.errors import DataError
from components.tasks.token_classification import Entity, bio, entities_of, prefix_and_type, words_of

TAGS, NER_TAGS = "tags", "ner_tags"
"""The columns that have tags where params.yaml names none: the second is what published data sets call it."""
_DOCUMENT = "-DOCSTART-"
_HINT = "a line is a token and its columns, the tag the last of them; blank lines stand between sentences"
_UNSPACED = ("zh",)
"""Languages whose tokens stand side by side in a text."""


@dataclass(frozen=True)
class Tagged:
    """A sentence as a file has it: tokens, each with a tag; `between`: what joins them to a text; `spans`: whether tags
    are BIO or IOBES, which mark entities, or each says something of its token alone, as parts of speech do."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    between: str
    spans: bool = True

    @cached_property
    def text(self) -> str:
        return self.between.join(self.tokens)

    @cached_property
    def entities(self) -> list[Entity] | None:
        """In words of the text; None where one begins or ends within a word. Without spans every token is one."""
        found = entities_of(self.tags) if self.spans else [Entity(n, n + 1, tag) for n, tag in enumerate(self.tags)]
        ends = list(accumulate(len(token) + len(self.between) for token in self.tokens))
        begins = [end - len(token) - len(self.between) for end, token in zip(ends, self.tokens, strict=True)]
        words = words_of(self.text)
        first = {begin: number for number, (begin, _) in enumerate(words)}
        last = {end: number + 1 for number, (_, end) in enumerate(words)}
        try:
            return [
                Entity(first[begins[begin]], last[begins[end - 1] + len(self.tokens[end - 1])], label)
                for begin, end, label in found
            ]
        except KeyError:
            return None

    def tags_of(self, text: str) -> list[str] | None:
        """Tags for the words of a text that this one was made into, entities in BIO; None where they cannot be told."""
        if self.entities is None:
            return None
        before, after = ([one[begin:end] for begin, end in words_of(one)] for one in (self.text, text))
        moved = _moved(self.entities, before, after)
        if self.spans:
            return bio(moved, len(after))
        tags = [label for begin, end, label in moved for _ in range(begin, end)]
        return tags if len(tags) == len(after) else None


def _moved(entities: Sequence[Entity], before: list[str], after: list[str]) -> list[Entity]:
    """The entities among other words. Where some were replaced, an entity goes with all of what took their place."""
    if before == after:
        return list(entities)
    first, last = {}, {}
    for _, begin, end, new_begin, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        kept = end - begin == new_end - new_begin
        for word in range(begin, end):
            first[word] = new_begin + word - begin if kept else new_begin
            last[word] = new_begin + word - begin + 1 if kept else new_end
    found: list[Entity] = []
    for begin, end, label in entities:
        entity = Entity(first[begin], last[end - 1], label)
        if entity.first < entity.end and (not found or found[-1].end <= entity.first):
            found.append(entity)
    return found


def tagged_reader(
    language: str, column: str | int | None = None, spans: bool = True
) -> Callable[[Record], Tagged | None]:
    """How records are read. `column`: the one with tags, by its name or, in CoNLL files, its number from 1; `spans`:
    whether tags have to be BIO or IOBES."""
    between = "" if language in _UNSPACED else " "
    # Of a file's first sentence: where another is narrower, its last column is not the one with the tags.
    widths: dict[Path, int] = {}

    def read(record: Record) -> Tagged | None:
        """None for what stands between documents. Raises DataError naming file and line."""
        if "tokens" not in record.fields and set(record.fields) == {"text"} and isinstance(record.fields["text"], str):
            found = _of_lines(record, column, between, spans, widths)
        else:
            found = _of_lists(record, column, between, spans)
        return found

    return read


def texts_of(record: Record) -> list[str]:
    """The texts that a record may have become, in one language or another. Raises DataError as reading does."""
    read = (tagged_reader(language, spans=False)(record) for language in ("en", *_UNSPACED))
    return [found.text for found in read if found is not None]


def _of_lists(record: Record, column: str | int | None, between: str, spans: bool) -> Tagged:
    tokens = _list(record, "tokens")
    tags = _list(record, str(column) if column is not None else NER_TAGS if TAGS not in record.fields else TAGS)
    if not tokens:
        raise DataError(f"{record.place}: the list of tokens is empty", "take the row out, or give it words")
    if len(tokens) != len(tags):
        raise DataError(f"{record.place}: {len(tokens)} tokens and {len(tags)} tags", "each token needs one tag")
    # A token with blanks in it would be several words of which nobody knows where they belong.
    for number, token in enumerate(tokens, 1):
        if not token or token.split() != [token]:
            raise DataError(f"{record.place}: token {number} is {token!r:.60}", "a token is text without blanks")
    places = [f"{record.place}: token {number}" for number in range(1, len(tokens) + 1)]
    _check(tags, places, spans)
    return Tagged(tuple(tokens), tuple(tags), between, spans)


def _list(record: Record, column: str) -> list[str]:
    if column not in record.fields:
        if column == NER_TAGS:
            column = TAGS
        record.text(column)  # says what is missing, and what is there
    value: Any = record.fields[column]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        strange = next((one for one in value if not isinstance(one, str)), None) if isinstance(value, list) else None
        told = f"has {kind_of(strange)} in it" if isinstance(value, list) else f"is {kind_of(value)}"
        raise DataError(f"{record.place}: '{column}' {told}", "expected a list of texts, one for each token")
    return value


def _of_lines(
    record: Record, column: str | int | None, between: str, spans: bool, widths: dict[Path, int]
) -> Tagged | None:
    """A block of lines: a token, its columns, the tag. `widths`: of each file its number of columns."""
    lines = enumerate(record.text().splitlines(), record.line)
    rows = [(f"{record.file}:{number}", line.split()) for number, line in lines if not line.startswith(_DOCUMENT)]
    if not rows:
        return None
    width = widths.setdefault(record.file, len(rows[0][1]))
    if isinstance(column, str) and not column.isdigit():
        raise DataError(f"{record.place}: no column '{column}' in lines of columns", "give its number, from 1")
    place = int(column) if column is not None else width
    tags = []
    for where, fields in rows:
        if len(fields) < 2:
            raise DataError(f"{where}: no tag beside {fields[0]!r:.60}", _HINT)
        if len(fields) != width:
            raise DataError(f"{where}: {len(fields)} columns, and {width} in the lines before", _HINT)
        if not 2 <= place <= width:
            raise DataError(f"{where}: no column {place} among {width}", "tags stand in column 2 or a later one")
        tags.append(fields[place - 1])
    _check(tags, [where for where, _ in rows], spans)
    return Tagged(tuple(fields[0] for _, fields in rows), tuple(tags), between, spans)


def _check(tags: Sequence[str], places: Sequence[str], spans: bool) -> None:
    """Raise DataError, naming the place, for what is no tag, and for an entity whose type changes within it."""
    for tag, where in zip(tags, places, strict=True):
        try:
            if spans:
                prefix_and_type(tag)
            elif not tag or tag.split() != [tag]:
                raise ValueError(f"tag {tag!r:.60} is no text without blanks")
        except ValueError as error:
            hint = "name another column with tags as `column`, or, of tags that are no BIO, `metric: token_accuracy`"
            raise DataError(f"{where}: {error}", hint) from None
    if spans and (place := _changed(tags)) is not None:
        raise DataError(
            f"{places[place]}: tag {tags[place]!r:.60} behind {tags[place - 1]!r:.60}: an entity has one type",
            f"tag both alike, or begin another entity: B-{tags[place][2:]}",
        )


def _changed(tags: Sequence[str]) -> int | None:
    """Where an entity goes on with another type; None where it does not, or where the tags are IOB1.

    In IOB1 an entity begins with B only behind another of its own type (Tjong Kim Sang 1999), and so an I of another
    type begins one. A B elsewhere, or an E, says that the tags are not.
    """
    split = [prefix_and_type(tag) for tag in tags]
    neighbours = list(pairwise([("O", ""), *split]))
    begun = any(prefix in "ES" or (prefix == "B" and before[1] != kind) for before, (prefix, kind) in neighbours)
    return next(
        (
            place
            for place, (before, (prefix, kind)) in enumerate(neighbours)
            if begun and prefix in "IE" and before[0] in "BI" and before[1] != kind
        ),
        None,
    )
