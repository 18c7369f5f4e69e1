"""A small copy of SuperGLUE in its published format: a function a data set, which makes a record of a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.small_artifacts import WORDS
from tests.small_suite_rows import jsonl, nli, rows, sea

TWO_WAY = ("not_entailment", "entailment")
Record = Callable[[int, str, str, str, str], dict[str, Any]]
"""Number, two texts, place and split of a row -> a line of a data set's file."""


def superglue(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        for title, record in RECORDS.items():
            jsonl(folder / title / f"{name}.jsonl", (record(*row, split) for row in rows(split)))
    jsonl(
        folder / "AX-b" / "AX-b.jsonl",
        (
            {"sentence1": a, "sentence2": b, "idx": n, "label": TWO_WAY[sea(p)], "logic": ""}
            for n, a, b, p in rows("test")
        ),
    )
    jsonl(
        folder / "AX-g" / "AX-g.jsonl",
        (
            {"premise": a, "hypothesis": b, "idx": n, "label": TWO_WAY[sea(p)], "pair_id": n}
            for n, a, b, p in rows("test")
        ),
    )


def _labelled(split: str, label: object) -> dict[str, Any]:
    """Nothing where the labels are hidden."""
    return {} if split == "test" else {"label": label}


def _boolq(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    asked = {"question": f"is it {place}, {number}", "passage": one, "idx": number}
    return asked | _labelled(split, bool(sea(place)))


def _cb(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    return {"premise": one, "hypothesis": two, "idx": number} | _labelled(split, nli(number, place))


def _rte(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    return {"premise": one, "hypothesis": two, "idx": number} | _labelled(split, TWO_WAY[sea(place)])


def _copa(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    choices = {"premise": one, "choice1": two, "choice2": f"Nothing {number}."}
    return choices | {"question": ("cause", "effect")[number % 2], "idx": number} | _labelled(split, number % 2)


def _multirc(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    def question(k: int) -> dict[str, Any]:
        answers = [
            {"text": word, "idx": 4 * number + 2 * k + m} | _labelled(split, m % 2)
            for m, word in enumerate((two, WORDS[place][k]))
        ]
        return {"idx": 2 * number + k, "question": f"What is here, {k}?", "answers": answers}

    return {"idx": number, "passage": {"text": one, "questions": [question(k) for k in range(2)]}}


def _record(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    """A news item whose query asks for one of two marked words."""
    text = f"{one}\n@highlight\n{two}"
    words = [one.split()[1], two.split()[1].rstrip(".")]
    places = [text.index(f" {word}") + 1 for word in words]
    entities = [{"start": at, "end": at + len(word) - 1} for word, at in zip(words, places, strict=True)]
    answers = [{"start": places[0], "end": places[0] + len(words[0]) - 1, "text": words[0]}]
    query: dict[str, Any] = {"query": "There was @placeholder first.", "idx": number}
    return {
        "source": "own",
        "passage": {"text": text, "entities": entities},
        "qas": [query | ({} if split == "test" else {"answers": answers})],
        "idx": number,
    }


def _wic(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    texts = {"word": "the", "sentence1": one, "sentence2": two, "idx": number}
    places = {"start1": 0, "end1": 3, "start2": 0, "end2": 1, "version": 1.1}
    return texts | places | _labelled(split, bool(sea(place)))


def _wsc(number: int, one: str, two: str, place: str, split: str) -> dict[str, Any]:
    first, second = (
        {"span1_index": 0, "span1_text": "The"},
        {"span2_index": 2, "span2_text": one.split()[2].rstrip(".")},
    )
    return {"text": one, "target": first | second, "idx": number} | _labelled(split, bool(sea(place)))


RECORDS: dict[str, Record] = {
    "BoolQ": _boolq,
    "CB": _cb,
    "RTE": _rte,
    "COPA": _copa,
    "MultiRC": _multirc,
    "ReCoRD": _record,
    "WiC": _wic,
    "WSC": _wsc,
}
