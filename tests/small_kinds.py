"""Rows that anyone can learn, of every kind of task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.tasks.config import TaskConfig
from tests.small_artifacts import WORDS, sentences

ROWS = {"train": 240, "validation": 60, "test": 60}

RowOf = Callable[[str, str], dict[str, Any]]
"""A row of a file, from a text and what most of its words belong to."""


def share_of_sea(text: str) -> float:
    words = text.split()
    return sum(word in WORDS["sea"] for word in words) / len(words)


def labelled(text: str, place: str) -> dict[str, Any]:
    return {"text": text, "label": place}


def stars(text: str, place: str) -> dict[str, Any]:
    """From 1 to 5, by how many of the words are of the sea."""
    return {"text": text, "label": 1 + round(4 * share_of_sea(text), 2)}


def grades(text: str, place: str) -> dict[str, Any]:
    """The same as one of three."""
    return {"text": text, "label": f"{1 + round(2 * share_of_sea(text))}"}


def places(text: str, place: str) -> dict[str, Any]:
    """Every place that two words or more belong to."""
    counts = {name: sum(word in words for word in text.split()) for name, words in WORDS.items()}
    return {"text": text, "labels": [name for name, count in counts.items() if count > 1]}


def tagged(text: str, place: str) -> dict[str, Any]:
    """Runs of words of the sea are entities, and so are those of the city."""
    kinds = [next((kind for kind in ("sea", "city") if word in WORDS[kind]), "") for word in text.split()]
    before = ["", *kinds]
    tags = [f"{'I' if kind == before[n] else 'B'}-{kind.upper()}" if kind else "O" for n, kind in enumerate(kinds)]
    return {"tokens": text.split(), "tags": tags}


def related(text: str, place: str) -> dict[str, Any]:
    """The last two words, marked: whether both are of the sea, of the city, or neither."""
    words = text.split()
    begin = len(text) - len(words[-1])
    before = begin - 1 - len(words[-2])
    kinds = [[kind for kind in ("sea", "city") if word in WORDS[kind]] for word in words[-2:]]
    label = kinds[0][0] if kinds[0] and kinds[0] == kinds[1] else "neither"
    return {"text": text, "head": [before, begin - 1], "tail": [begin, len(text)], "label": label}


def told(text: str, place: str) -> dict[str, Any]:
    """A text alone, which is itself what is learned; or as a prompt and what follows it, or as a conversation."""
    first, rest = text.split(maxsplit=1)
    turns = [{"role": "user", "content": first}, {"role": "assistant", "content": rest}]
    return [{"text": text}, {"prompt": first, "completion": f" {rest}"}, {"messages": turns}][len(text) % 3]


def preferred(text: str, place: str) -> dict[str, Any]:
    """A pair of answers: liked better is the one of the sea, whatever the prompt."""
    *prompt, _, _ = text.split()
    return {"prompt": " ".join(prompt), "chosen": " ship wave", "rejected": " street tower"}


def paired(text: str, place: str) -> dict[str, Any]:
    """Two texts: whether the second has the words of the first."""
    alike = sum(map(ord, text)) % 2
    other = " ".join(reversed(text.split())) if alike else "street tower market"
    return {"text": text, "text_pair": other, "label": "same" if alike else "other"}


def answered(text: str, place: str) -> dict[str, Any]:
    """What is to be written is the place."""
    return {"text": text, "target": place}


def chosen(text: str, place: str) -> dict[str, Any]:
    """Two or three choices, of which the one of the sea is right."""
    number = sum(map(ord, text))
    choices = [" ".join(WORDS[name][number % 3 : number % 3 + 2]) for name in ("city", "field")][: 1 + number % 2]
    place = str(number % (len(choices) + 1))
    choices.insert(int(place), " ".join(WORDS["sea"][number % 4 : number % 4 + 2]))
    return {"text": text, "choices": choices, "label": place}


def asked(text: str, place: str) -> dict[str, Any]:
    """The answer is that of the place; of another one that the first word belongs to it is a negative."""
    first = next(name for name, words in WORDS.items() if text.split()[0] in words)
    answers = {name: f"{name}: {' '.join(words[:3])}" for name, words in WORDS.items()}
    return {"question": text, "answer": answers[place], "negatives": [answers[first]] if first != place else []}


def marked_out(text: str, place: str) -> dict[str, Any]:
    """The first word of the sea, or of the city; no answer where the context has none."""
    kind = ("sea", "city")[sum(map(ord, text)) % 2]
    words = [word for word in text.split() if word in WORDS[kind]][:1]
    answers = {"text": words, "answer_start": [f" {text} ".index(f" {word} ") for word in words]}
    return {"question": f"which {kind}?", "context": text, "answers": answers}


ROW_OF: dict[str, RowOf] = {
    "classification": labelled,
    "generation": told,
    "multi_label": places,
    "multiple_choice": chosen,
    "question_answering": marked_out,
    "regression": stars,
    "relation_extraction": related,
    "retrieval": asked,
    "summarization": answered,
    "token_classification": tagged,
    "translation": answered,
}


def raw_rows(folder: Path, row_of: RowOf) -> Path:
    """The files of a task as a person brings them."""
    folder.mkdir(parents=True)
    for seed, (split, count) in enumerate(ROWS.items()):
        rows = [row_of(*sentence) for sentence in sentences(count, seed)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def small_rows(folder: Path, kind: str, row_of: RowOf, **more: Any) -> Path:
    """A small artifact `task` of a kind, curated from such files, which lie beside it. `more`: its own parameters."""
    raw = raw_rows(folder.parent / "data" / "tasks" / folder.name, row_of)
    curate_task(small_config(kind, **more), raw, folder.parent / "data", folder, Removals())
    return folder


def small_config(kind: str, **more: Any) -> TaskConfig:
    """The section of params.yaml of such a task."""
    found: TaskConfig = TaskConfig.variant(kind)(kind=kind, language="en", max_length=24, **more)
    return found
