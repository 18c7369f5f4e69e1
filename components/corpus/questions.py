"""Questions about contexts: rows of a file, or SQuAD's articles with paragraphs with questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from components.corpus.encoding import decoded_right, normalise
from components.corpus.record import Record, kind_of
from components.errors import DataError

_HINT = 'as {"text": ["Accra"], "answer_start": [17]}, both empty where the context has no answer'


def questions(record: Record) -> Iterator[Record]:
    """The questions of an article of SQuAD JSON, each as a row; any other record is one. Raises DataError."""
    if "paragraphs" not in record.fields:
        yield record
        return
    for paragraph in _objects(record, "paragraphs", record.fields):
        for question in _objects(record, "qas", paragraph):
            answers = [] if question.get("is_impossible") is True else _objects(record, "answers", question)
            columns = {name: [one.get(name) for one in answers] for name in ("text", "answer_start")}
            fields = {name: question[name] for name in ("id", "question") if name in question}
            yield replace(record, fields=fields | {"context": paragraph.get("context"), "answers": columns})


def _objects(record: Record, name: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
    found = fields.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{record.place}: '{name}' is {kind_of(found)}, not a list of objects", "as SQuAD has them")
    return found


def read_question(record: Record) -> tuple[tuple[str, ...], Callable[..., Any]]:
    """The question and its context, and what gives the answers in clean texts. Raises DataError naming file and line
    where an answer is not at its place."""
    question, context = record.text("question"), record.text("context")
    where = f"{record.place}: question {record.name}"
    answers = _answers(record, where)
    for text, start in answers:
        if not context.startswith(text, start):
            found = context.find(text)
            hint = f"it begins at {found}" if found >= 0 else "the context does not have it"
            raise DataError(f"{where}: the answer {text!r:.60} is not at character {start} of its context", hint)

    def moved(_question: str, clean: str) -> dict[str, list[Any]] | None:
        spans = [_moved(text, start, context, clean) for text, start in answers]
        kept = [span for span in spans if span is not None]
        if len(kept) < len(spans):
            return None
        return {"text": [text for text, _ in kept], "answer_start": [start for _, start in kept]}

    return (question, context), moved


def _answers(record: Record, where: str) -> list[tuple[str, int]]:
    value = record.fields.get("answers")
    if "answers" not in record.fields:
        record.text("answers")  # says what is missing, and what is there
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise DataError(f"{where}: 'answers' is no JSON", _HINT) from None
    texts, starts = (value.get(name) if isinstance(value, dict) else None for name in ("text", "answer_start"))
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise DataError(f"{where}: 'answers' has not as many texts as places", _HINT)
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or not text.strip() or type(start) is not int or start < 0:
            raise DataError(f"{where}: the answer {text!r:.60} at {start!r:.20} is no text with its place", _HINT)
    return list(zip(texts, starts, strict=True))


def _moved(text: str, start: int, context: str, clean: str) -> tuple[str, int] | None:
    """An answer in the cleaned context: the same one of equal ones; None where it is not there any more."""
    wanted = normalise(decoded_right(text))
    if not wanted:
        return None
    # Blanks around an answer are no part of it: "the " does not stand in "then", where "the" does.
    start += len(text) - len(text.lstrip())
    text = text.strip()
    earlier = _count(text, context[: start + len(text) - 1])
    place = -1
    for _ in range(earlier + 1):
        place = clean.find(wanted, place + 1)
        if place < 0:
            return None
    return wanted, place


def _count(text: str, context: str) -> int:
    """How often a text stands in a context, one place over another."""
    return sum(context.startswith(text, place) for place in range(len(context) - len(text) + 1))
