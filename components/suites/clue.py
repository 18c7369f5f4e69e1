"""CLUE (Xu 2020): Chinese classification, pairs, pronouns, keywords, choices and reading."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from components.suites.formats import jsonl, squad
from components.suites.scores import by_accuracy, by_chinese_answer
from components.suites.squad import answered, asked, by_id
from components.suites.suite import File, Part, Raw, Score, Submission, Suite, SuiteTask, label, texts
from components.tasks.relation_extraction import MARKERS

HUB = "clue/clue"
NLI = ("neutral", "entailment", "contradiction")
NUMBERS = ("0", "1")
NEWS = tuple(str(number) for number in range(100, 117) if number not in (105, 111))
APPS = tuple(str(number) for number in range(119))
BOOLEAN = ("true", "false")


def labels_by_line(rows: Sequence[Raw], answers: Sequence[Any]) -> str:
    """CLUE's JSONL: `id` and `label`."""
    found = (
        {"id": row.get("id", row.get("idx", number)), "label": answer}
        for number, (row, answer) in enumerate(zip(rows, answers, strict=True))
    )
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found)


def c3(path: Any) -> list[Raw]:
    """C3's dialogues and texts with their questions as a row a question (Sun 2020). The site's `id` is the question's
    own; one without is numbered, for that of its passage would stand there for each of its questions."""
    entries: list[Any] = [*jsonl(path)]
    found = ((question, context) for context, questions, _ in entries for question in questions)
    return [{"id": number, **question, "context": context} for number, (question, context) in enumerate(found)]


def _two_spans(raw: Raw) -> dict[str, Any]:
    """CLUEWSC's spans, which are given by their first character."""
    text, target, places = raw["text"], raw["target"], []
    for number in ("1", "2"):
        wanted, place = target[f"span{number}_text"], int(target[f"span{number}_index"])
        begin = place if text.startswith(wanted, place) else max(text.find(wanted), 0)
        places.append([begin, begin + len(wanted)])
    return {"text": text, "head": places[0], "tail": places[1]}


def _keywords(raw: Raw) -> dict[str, Any]:
    return {"text": "；".join(raw["keyword"]), "text_pair": raw["abst"]}


def _choices(raw: Raw) -> dict[str, Any]:
    return {"text": f"{''.join(raw['context'])} {raw['question']}", "choices": list(raw["choice"])}


def _choice(raw: Raw) -> int | None:
    answer = raw.get("answer")
    return raw["choice"].index(answer) if answer in raw["choice"] else None


def _task(
    name: str,
    title: str,
    kind: dict[str, Any],
    inputs: Callable[[Raw], dict[str, Any]],
    labels: tuple[str, ...],
    score: Score = by_accuracy,
    **changes: Any,
) -> SuiteTask:
    reader = changes.pop("reader", jsonl)
    common: dict[str, Any] = {
        "hub": HUB,
        "config": name,
        "folders": (name, f"{name}_public", title),
        "files": {
            "train": (File("train.json", reader),),
            "validation": (File("dev.json", reader),),
            "test": (File("test.json", reader), File("test1.0.json", reader), File("test1.1.json", reader)),
        },
        "kind": {"kind": "classification", "language": "zh", "max_length": 128, **kind},
        "inputs": inputs,
        "target": label(labels),
        "score": score,
        "parts": (Part(title, "validation"),),
        "submissions": (Submission(f"{name}_predict.json", "test", labels_by_line),),
        "labels": labels,
    }
    return SuiteTask(name=name, **(common | changes))


_PAIR = {"pair": True}
TASKS = (
    _task("afqmc", "AFQMC", _PAIR, texts("sentence1", "sentence2"), NUMBERS),
    _task("tnews", "TNEWS", {}, texts("sentence"), NEWS),
    _task("iflytek", "IFLYTEK", {"max_length": 256}, texts("sentence"), APPS),
    _task("cmnli", "CMNLI", _PAIR, texts("sentence1", "sentence2"), NLI),
    _task("ocnli", "OCNLI", _PAIR, texts("sentence1", "sentence2"), NLI),
    _task("cluewsc2020", "CLUEWSC", {"kind": "relation_extraction"}, _two_spans, BOOLEAN),
    _task("csl", "CSL", {**_PAIR, "max_length": 256}, _keywords, NUMBERS),
    _task(
        "cmrc2018",
        "CMRC 2018",
        {"kind": "question_answering", "max_length": 384},
        asked,
        (),
        by_chinese_answer,
        reader=squad,
        target=answered,
        submissions=(Submission("cmrc2018_predict.json", "test", by_id),),
        average=("exact_match",),
    ),
    _task(
        "c3",
        "C3",
        {"kind": "multiple_choice", "max_length": 384},
        _choices,
        (),
        target=_choice,
        files={
            "train": (File("m-train.json", c3), File("train.json", c3)),
            "validation": (File("m-dev.json", c3), File("dev.json", c3)),
            "test": (File("test1.0.json", c3), File("test.json", c3)),
        },
    ),
)
CLUE = Suite(
    "clue",
    "CLUE",
    "https://github.com/CLUEbenchmark/CLUE",
    TASKS,
    archive="clue.zip",
    settings={"train_tokenizer": {"special_tokens": [*MARKERS]}},
    averaged=True,
)
