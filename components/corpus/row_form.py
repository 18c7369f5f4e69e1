"""How the rows of a kind of task stand in files: their columns, and what is read of a record."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from string import ascii_uppercase
from typing import Any

from components.corpus.encoding import compared_form, decoded_right, mark_of, normalise
from components.corpus.questions import questions, read_question
from components.corpus.record import Record, kind_of
from components.corpus.tagged import NER_TAGS, TAGS, Tagged, tagged_reader
from components.errors import DataError
from components.tasks.config import SPAN_F1, TaggingConfig, TaskConfig, TextsConfig
from components.tasks.generation import ASSISTANT, PART, ROLES, SIGNS, preference_text, text_of
from components.tasks.kinds import task_kind
from components.tasks.multiple_choice import LEAST
from components.tasks.relation_extraction import check_marked, marked
from components.tasks.retrieval import Sought
from components.tasks.task import Column, columns_of, text_columns

PAIR = ("chosen", "rejected")
WRITTEN = ("text", "prompt", "completion", "messages", *PAIR)
"""Columns of texts that are learned themselves: a text, a prompt with what follows it, a conversation, or a prompt with
two answers, one of which people like better."""
QUESTION = ("question", "text")
"""Columns of what is asked, where an answer is to be found: one of the two."""
LARGEST = 1e30
"""Of the numbers that a regression learns: float32, whose squares a double holds."""
LABEL_CHARACTERS = 200
"""Of the longest label: what is longer is a text."""
_WHOLE = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class RowForm:
    """How the rows of a kind stand in files: `columns` that are read, and of a record the texts that a model reads and
    what gives the target once they are clean, None where it cannot; None for a record that is no row.

    `choices`: whether the texts behind the first are choices, the same in any order, and the target is the place of
    one. `records`: the rows that a record of a file holds. `own_ids`: no two rows of a split have the same id. `lost`:
    what it is called that a target cannot be told of the clean texts. `written`: a target with each text in it changed
    by a function, where targets are texts of their own.
    """

    columns: tuple[str, ...]
    read: Callable[[Record], tuple[tuple[str, ...], Callable[..., Any]] | None]
    choices: bool = False
    records: Callable[[Record], Iterable[Record]] = lambda record: (record,)
    own_ids: bool = False
    lost: str = "entity_within_word"
    written: Callable[[Any, Callable[[str], str]], Any] = lambda target, change: target

    def mark(self, given: Sequence[str]) -> bytes:
        """Equal for the same texts, each for itself: a word that ends one or begins the next makes two rows."""
        first, *others = (mark_of(compared_form(one)) for one in given)
        return b"".join([first, *(sorted(others) if self.choices else others)])

    def answer(self, texts: Sequence[str], target: Any) -> Any:
        """The target, of choices the right one's text."""
        return texts[1 + target] if self.choices else target


def form_of(config: TaskConfig) -> RowForm:
    """By what stands in the target's column."""
    kind = task_kind(config.kind)
    if kind.columns[kind.target] == Column.TAGS:
        column = config.column if isinstance(config, TaggingConfig) else None
        spans = config.metric == SPAN_F1 if isinstance(config, TaggingConfig) else True
        used = ("id", "text", "tokens", *((TAGS, NER_TAGS) if column is None else [str(column)]))
        return RowForm(used, partial(_tagged, tagged_reader(config.language, column, spans)))
    if kind.target == "text":
        return RowForm(("id", *WRITTEN), _written)
    if kind.columns[kind.target] == Column.CHOICE:
        return RowForm(("id", "text", "choices", "label"), _with_choices, choices=True)
    if kind.columns[kind.target] == Column.ANSWER:
        return RowForm(("id", *QUESTION, "answer", "negatives"), _asked, written=_sought)
    if kind.columns[kind.target] == Column.ANSWERS:
        columns = (*text_columns(kind.columns), kind.target)
        return RowForm(("id", *columns), read_question, records=questions, own_ids=True, lost="answer_changed")
    read = _READ[kind.columns[kind.target]]
    if kind.spans:
        return RowForm(("id", "text", *kind.spans, kind.target), partial(_marked, kind.spans, read))
    texts = text_columns(columns_of(kind, is_pair(config)))
    used = tuple(dict.fromkeys(("id", *texts, kind.target)))
    if kind.columns[kind.target] == Column.TARGET:
        return RowForm(used, partial(_plain, texts, read), written=lambda target, change: change(target))
    return RowForm(used, partial(_plain, texts, read))


def is_pair(config: TaskConfig) -> bool:
    """Whether rows have a second text."""
    return isinstance(config, TextsConfig) and config.pair


def _plain(
    names: tuple[str, ...], read: Callable[[Record], Any], record: Record
) -> tuple[tuple[str, ...], Callable[..., Any]]:
    texts, target = tuple(record.text(name) for name in names), read(record)
    return texts, lambda *clean: target


def _marked(
    spans: Sequence[str], read: Callable[[Record], Any], record: Record
) -> tuple[tuple[str, ...], Callable[..., Any]]:
    """Of a row with offsets the text with markers around both; one without has them already."""
    text, target = record.text(), read(record)
    try:
        if any(record.fields.get(name) is not None for name in spans):
            text = marked(text, *(_span(name, record) for name in spans))
        check_marked(text)
    except ValueError as error:
        hint = f"write {' and '.join(spans)} as [begin, end], or put the markers into the text"
        raise DataError(f"{record.place}: {error}", hint) from None
    return (text,), lambda clean: target


def _span(name: str, record: Record) -> list[int]:
    value = _listed(record.fields.get(name))
    if not isinstance(value, list) or [type(one) for one in value] != [int, int]:
        raise ValueError(f"'{name}' is {value!r:.60}, not [begin, end]")
    return value


def _tagged(
    read: Callable[[Record], Tagged | None], record: Record
) -> tuple[tuple[str, ...], Callable[..., Any]] | None:
    found = read(record)
    return None if found is None else ((found.text,), found.tags_of)


def _with_choices(record: Record) -> tuple[tuple[str, ...], Callable[..., Any]]:
    texts = choices_of(record)
    number = _choice(record, texts[1:])
    return texts, lambda *clean: number


def choices_of(record: Record) -> tuple[str, ...]:
    """A row's text, and behind it its choices: a list of texts, or as CSV has it, one in JSON. Raises DataError."""
    text = record.text()
    if "choices" not in record.fields:
        record.text("choices")  # says what is missing, and what is there
    given = _listed(record.fields["choices"])
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise DataError(f"{record.place}: 'choices' is no list of texts", 'as ["red", "blue"], in CSV as well')
    if len(given) < LEAST:
        told = "one choice" if given else "no choice"
        raise DataError(f"{record.place}: 'choices' has {told}", f"a row needs {LEAST} or more")
    return (text, *given)


def _listed(value: Any) -> Any:
    """A list, also where it is written in JSON, as cells of CSV have it; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list) else value


def _choice(record: Record, choices: Sequence[str]) -> int:
    """Which choice is right: its number from 0, its own text, or its letter from A. Raises DataError."""
    if "label" not in record.fields:
        record.text("label")
    value = record.fields["label"]
    if isinstance(value, str) and value in choices:
        return choices.index(value)
    label = _label_text(value) or ""
    numbers = {str(place): place for place in range(len(choices))}
    letters = {letter: place for place, letter in enumerate(ascii_uppercase[: len(choices)])}
    if (number := numbers.get(label, letters.get(label.upper()))) is None:
        raise DataError(
            f"{record.place}: label {value!r:.60} is none of the {len(choices)} choices",
            "its number from 0, its text, or its letter from A",
        )
    return number


def _label(record: Record) -> str:
    """A row's label as text. Raises DataError where there is none."""
    if "label" not in record.fields:
        return record.text("label")
    value = record.fields["label"]
    label = _label_text(value)
    if label is None:
        raise DataError(f"{record.place}: 'label' is {kind_of(value)}, not text", "text, a number or a truth value")
    if not label:
        raise DataError(f"{record.place}: the label is empty", "every labelled row needs one")
    return _short(record, "label", label)


def _short(record: Record, column: str, label: str) -> str:
    if len(label) > LABEL_CHARACTERS:
        raise DataError(
            f"{record.place}: '{column}' has a label of {len(label):,} characters",
            f"a label has {LABEL_CHARACTERS} at most: texts stand in other columns",
        )
    return label


def _label_text(value: object) -> str | None:
    """A label in the one form it has in all files: CSV has "True" or "1.0" where parquet has a type. None: no label."""
    if value is None or value != value:  # a NaN is what pandas has for nothing
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        value = str(value)
    if not isinstance(value, str):
        return None
    label = normalise(decoded_right(value))
    if whole := _WHOLE.fullmatch(label):
        return whole[1]
    return label.lower() if label.lower() in ("true", "false") else label


def _labels(record: Record) -> list[str]:
    """A row's labels, each once and in order: of a list, or of text with `;` or `,` between them, as CSV has it.

    Raises DataError where there is no such column, or one of them is no label.
    """
    if "labels" not in record.fields:
        record.text("labels")  # says what is missing, and what is there
    value = _listed(record.fields["labels"])
    if value is None or value != value:
        value = []
    if isinstance(value, str):
        value = [one for one in value.split(";" if ";" in value else ",") if one.strip()]
    if not isinstance(value, list):
        raise DataError(
            f"{record.place}: 'labels' is {kind_of(value)}, not a list", 'as ["sport", "law"], or sport;law'
        )
    found = set()
    for one in value:
        if not (label := _label_text(one)):
            raise DataError(f"{record.place}: {one!r:.60} in 'labels' is no label", "text, a number or a truth value")
        found.add(_short(record, "labels", label))
    return sorted(found)


def _number(record: Record) -> float:
    """A row's number. Raises DataError where there is none, or one that is not finite."""
    if "label" not in record.fields:
        record.text("label")
    value = record.fields["label"]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{record.place}: 'label' is {value!r:.60}, not a finite number", "every row needs a number")
    if abs(number) > LARGEST:
        raise DataError(f"{record.place}: 'label' is {number:g}, more than a model can answer", f"at most {LARGEST:g}")
    return number


def _written(record: Record) -> tuple[tuple[str, ...], Callable[..., Any]]:
    """A text that is learned itself, whose target is the same for all that repeat it."""
    text = written(record)
    return (text,), lambda clean: compared_form(text)


def written(record: Record) -> str:
    """A row's text, its prompt and completion, its messages, or its pair of answers, as `components.tasks.generation`
    has them in one.

    Raises DataError, naming file and line, where there is no answer to learn.
    """
    if any(record.fields.get(name) is not None for name in PAIR):
        return _preference(record)
    if record.fields.get("messages") is not None:
        return text_of(_messages(record))
    if record.fields.get("prompt") is None and record.fields.get("completion") is None:
        return _unmarked(record, "text", record.text())
    prompt, completion = (_unmarked(record, name, record.text(name)) for name in ("prompt", "completion"))
    if not normalise(completion):
        raise DataError(f"{record.place}: a prompt without an answer", "write what follows it as its 'completion'")
    return f"{prompt}{PART}{completion}"


def _messages(record: Record) -> list[dict[str, str]]:
    found = _listed_messages(record, "messages")
    if found[-1]["role"] != ASSISTANT or not normalise(found[-1]["content"]):
        raise DataError(
            f"{record.place}: a conversation without an answer: its last message is the {found[-1]['role']}'s",
            f"the last message is what the {ASSISTANT} is to answer",
        )
    return found


def _listed_messages(record: Record, column: str) -> list[dict[str, str]]:
    messages = _listed(record.fields[column])
    if not isinstance(messages, list) or not messages:
        raise DataError(f"{record.place}: '{column}' is {kind_of(messages)}, not a list of {{role, content}}")
    return [_message(record, number, message) for number, message in enumerate(messages, 1)]


def _preference(record: Record) -> str:
    """A prompt, text or messages, with its chosen and its rejected answer."""
    chosen, rejected = (_answer(record, name) for name in PAIR)
    if normalise(chosen) == normalise(rejected):
        raise DataError(f"{record.place}: 'chosen' and 'rejected' are equal", "a pair says which answer is better")
    if isinstance(_listed(record.fields.get("prompt")), list):
        messages = _listed_messages(record, "prompt")
        return preference_text(text_of([*messages, {"role": ASSISTANT, "content": chosen}]), rejected)
    return preference_text(f"{_unmarked(record, 'prompt', record.text('prompt'))}{PART}{chosen}", rejected)


def _answer(record: Record, name: str) -> str:
    """One side of a pair: text, or as a list with the assistant's one message. Raises DataError where it is missing."""
    other = PAIR[1 - PAIR.index(name)]
    if record.fields.get(name) is None:
        raise DataError(f"{record.place}: '{other}' without '{name}'", "a preference pair has both answers")
    if isinstance(_listed(record.fields[name]), list):
        answer = _listed_messages(record, name)
        if [message["role"] for message in answer] != [ASSISTANT]:
            raise DataError(f"{record.place}: '{name}' is not one message of the {ASSISTANT}", "write it as text")
        text = answer[0]["content"]
    else:
        text = _unmarked(record, name, record.text(name))
    if not normalise(text):
        raise DataError(f"{record.place}: '{name}' is empty", "a preference pair has two answers")
    return text.rstrip()


def _message(record: Record, number: int, message: Any) -> dict[str, str]:
    where = f"{record.place}: message {number}"
    if not isinstance(message, dict) or not {"role", "content"} <= set(message):
        raise DataError(f"{where}: expected an object with role and content")
    if message["role"] not in ROLES.values():
        raise DataError(f"{where}: unknown role {message['role']!r:.40}", f"known: {', '.join(ROLES.values())}")
    if not isinstance(message["content"], str):
        raise DataError(f"{where}: its content is {kind_of(message['content'])}, not text")
    return {"role": message["role"], "content": _unmarked(record, f"message {number}", message["content"])}


def _unmarked(record: Record, name: str, text: str) -> str:
    if strange := next((mark for mark in SIGNS if mark in text), None):
        raise DataError(f"{record.place}: '{name}' has the sign {strange}, which parts prompts from answers here")
    return text


def _question(record: Record) -> str:
    """What a row asks. Raises DataError where it does not say."""
    return record.text("text" if "text" in record.fields and "question" not in record.fields else "question")


def _asked(record: Record) -> tuple[tuple[str, ...], Callable[..., Any]]:
    """A question, and the answer that is to be found for it, with what is none beside it."""
    asked, answer = _question(record), normalise(decoded_right(record.text("answer")))
    if not answer:
        raise DataError(f"{record.place}: the answer is empty", "every row needs the answer that is to be found")
    given = _listed(record.fields.get("negatives")) or []
    if given != given:  # a NaN is what pandas has for nothing
        given = []
    if not isinstance(given, list) or not all(isinstance(one, str) and normalise(one) for one in given):
        raise DataError(f"{record.place}: 'negatives' is no list of texts", 'as ["no.", "closed."], in CSV as well')
    negatives = tuple(dict.fromkeys(normalise(decoded_right(one)) for one in given))
    if answer in negatives:
        raise DataError(f"{record.place}: the answer stands among its negatives", "take it out of one of the two")
    return (asked,), lambda clean: Sought(answer, negatives)


def _sought(sought: Sought, change: Callable[[str], str]) -> Sought:
    answer, negatives = change(sought), dict.fromkeys(map(change, sought.negatives))
    # Two answers may differ in their personal data alone.
    return Sought(answer, tuple(one for one in negatives if one != answer))


def _target(record: Record) -> str:
    """A text that another one is answered with. Raises DataError where there is none."""
    found = normalise(decoded_right(record.text("target")))
    if not found:
        raise DataError(f"{record.place}: the target is empty", "every row needs the text it is answered with")
    return found


_READ: dict[Column, Callable[[Record], Any]] = {
    Column.LABEL: _label,
    Column.LABELS: _labels,
    Column.NUMBER: _number,
    Column.TARGET: _target,
}
"""How what a row should be answered with is read."""
