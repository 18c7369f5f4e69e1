"""SuperGLUE (Wang 2019): eight tasks, and two diagnostic sets for RTE's model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from components.suites.formats import jsonl
from components.suites.scores import (
    by_accuracy,
    by_accuracy_and_macro_f1,
    by_best_answer,
    by_matthews,
    by_parity,
    by_question,
    normalised,
)
from components.suites.suite import File, Part, Raw, Score, Submission, Suite, SuiteTask, label, label_of, texts
from components.tasks.relation_extraction import MARKERS

HUB = "aps/super_glue@refs/convert/parquet"
"""With the branch on which the hub keeps it as files: its own is a script, and none is run."""
BOOLEAN = ("false", "true")
"""As rows of the pipeline have truths, and the site's files but for WSC's."""
TWO_WAY = ("entailment", "not_entailment")
_HIGHLIGHTS = ((re.compile(r"([.?!\"'])\n@highlight\n"), r"\1 "), (re.compile(r"\n@highlight\n"), ". "))
"""Between the text of a news item and its points, where a full stop is wanting (Raffel 2020)."""
_QUESTIONS = {
    "cause": "What was the cause of this?",
    "effect": "What happened as a result?",
}


def labels_by_line(of: Callable[[Any], Any] = str) -> Callable[[Sequence[Raw], Sequence[Any]], str]:
    """SuperGLUE's JSONL: `idx` and `label`."""

    def content(rows: Sequence[Raw], answers: Sequence[Any]) -> str:
        return lines(
            {"idx": row.get("idx", number), "label": of(answer)}
            for number, (row, answer) in enumerate(zip(rows, answers, strict=True))
        )

    return content


def lines(found: Any) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found)


def passages(rows: Sequence[Raw], answers: Sequence[Any]) -> str:
    """MultiRC's JSONL: a passage a line, with the label of each answer of each of its questions."""
    found: dict[int, dict[int, list[dict[str, int]]]] = {}
    for row, answer in zip(rows, answers, strict=True):
        questions = found.setdefault(row["idx"]["paragraph"], {})
        questions.setdefault(row["idx"]["question"], []).append(
            {"idx": row["idx"]["answer"], "label": BOOLEAN.index(answer)}
        )
    return lines(
        {
            "idx": paragraph,
            "passage": {"questions": [{"idx": one, "answers": given} for one, given in questions.items()]},
        }
        for paragraph, questions in found.items()
    )


def multirc(path: Any) -> list[Raw]:
    """A passage with its questions and their answers as a row an answer, as the hub has them."""
    found = []
    for passage in jsonl(path):
        for question in passage["passage"]["questions"]:
            for answer in question["answers"]:
                index = {"paragraph": passage["idx"], "question": question["idx"], "answer": answer["idx"]}
                row = {
                    "paragraph": passage["passage"]["text"],
                    "question": question["question"],
                    "answer": answer["text"],
                }
                found.append({**row, "idx": index, "label": answer.get("label")})
    return found


def record(path: Any) -> list[Raw]:
    """A passage with its queries as a row a query, as the hub has them; `spans`: characters of the entities."""
    found = []
    for passage in jsonl(path):
        text = passage["passage"]["text"]
        # The characters of an entity, its last one included.
        spans = [[one["start"], one["end"] + 1] for one in passage["passage"]["entities"]]
        for query in passage["qas"]:
            found.append(
                {
                    "passage": text,
                    "query": query["query"],
                    "entities": sorted({text[begin:end] for begin, end in spans}),
                    "answers": sorted({one["text"] for one in query.get("answers", [])}),
                    "idx": {"passage": passage["idx"], "query": query["idx"]},
                }
            )
    return found


def spans(path: Any) -> list[Raw]:
    """WSC's rows, with the columns of `target` beside the others, as the hub has them."""
    return [{**row, **row["target"]} for row in jsonl(path)]


def _context(raw: Raw) -> str:
    text = raw["passage"]
    for pattern, stop in _HIGHLIGHTS:
        text = pattern.sub(stop, text)
    return str(text)


def _cloze(raw: Raw) -> dict[str, Any]:
    return {"question": raw["query"].replace("@placeholder", "X"), "context": _context(raw)}


def _entities(raw: Raw) -> dict[str, list[Any]] | None:
    """The right entities, each at its first place in the passage; None where they are hidden."""
    context = _context(raw)
    places = {text: context.find(text) for text in raw["answers"]}
    found = {text: place for text, place in places.items() if place >= 0}
    return {"text": [*found], "answer_start": [*found.values()]} if found else None


def nearest_entity(raw: Raw, answer: str) -> str:
    """The entity of the passage that shares the most words with the answer; the answer itself where none does."""
    words = {*normalised(answer).split()}

    def likeness(entity: str) -> float:
        theirs = {*normalised(entity).split()}
        return 2 * len(words & theirs) / max(len(words) + len(theirs), 1)

    best = max(raw["entities"], key=likeness, default=answer)
    return best if likeness(best) > 0 else answer


def _word_in_two(raw: Raw) -> dict[str, Any]:
    one, other = raw["sentence1"], raw["sentence2"]
    behind = len(one) + 1
    return {
        "text": f"{one} {other}",
        "head": [int(raw["start1"]), int(raw["end1"])],
        "tail": [behind + int(raw["start2"]), behind + int(raw["end2"])],
    }


def _two_spans(raw: Raw) -> dict[str, Any]:
    """WSC's spans, which are given by the number of their first word: blanks part words."""
    text, places = raw["text"], []
    words = [found.start() for found in re.finditer(r"\S+", text)]
    for number in ("1", "2"):
        wanted, place = raw[f"span{number}_text"], int(raw[f"span{number}_index"])
        begin = words[min(place, len(words) - 1)]
        found = text.lower().find(wanted.lower(), max(begin - 2, 0))
        begin = found if found >= 0 else max(text.lower().find(wanted.lower()), 0)
        places.append([begin, begin + len(wanted)])
    return {"text": text, "head": places[0], "tail": places[1]}


def _alternatives(raw: Raw) -> dict[str, Any]:
    asked = _QUESTIONS.get(raw["question"], raw["question"])
    return {"text": f"{raw['premise']} {asked}", "choices": [raw["choice1"], raw["choice2"]]}


def _alternative(raw: Raw) -> int | None:
    found = label_of(("choice1", "choice2"), raw.get("label"))
    return None if found is None else ("choice1", "choice2").index(found)


def _task(
    title: str,
    kind: dict[str, Any],
    inputs: Callable[[Raw], dict[str, Any]],
    labels: tuple[str, ...],
    score: Score,
    content: Callable[[Sequence[Raw], Sequence[Any]], str],
    **changes: Any,
) -> SuiteTask:
    name = title.lower().replace("-", "")
    reader = changes.pop("reader", jsonl)
    common: dict[str, Any] = {
        "hub": HUB,
        "config": name,
        "folders": (title, name),
        "files": {
            "train": (File("train.jsonl", reader),),
            "validation": (File("val.jsonl", reader),),
            "test": (File("test.jsonl", reader),),
        },
        "kind": {"language": "en", **kind},
        "inputs": inputs,
        "target": label(labels),
        "score": score,
        "parts": (Part(title, "validation"),),
        "submissions": (Submission(f"{title}.jsonl", "test", content),),
        "labels": labels,
    }
    return SuiteTask(name=name, **(common | changes))


def _pair(length: int) -> dict[str, Any]:
    return {"kind": "classification", "max_length": length, "pair": True}


_RELATION = {"kind": "relation_extraction", "max_length": 160}


TASKS = (
    _task("BoolQ", _pair(256), texts("question", "passage"), BOOLEAN, by_accuracy, labels_by_line()),
    _task(
        "CB",
        _pair(256),
        texts("premise", "hypothesis"),
        ("entailment", "contradiction", "neutral"),
        by_accuracy_and_macro_f1,
        labels_by_line(),
    ),
    _task(
        "COPA",
        {"kind": "multiple_choice", "max_length": 96},
        _alternatives,
        ("choice1", "choice2"),
        by_accuracy,
        labels_by_line(int),
        target=_alternative,
    ),
    _task(
        "MultiRC",
        _pair(384),
        lambda raw: {"text": raw["paragraph"], "text_pair": f"{raw['question']} {raw['answer']}"},
        BOOLEAN,
        by_question(lambda raw: (raw["idx"]["paragraph"], raw["idx"]["question"]), "true"),
        passages,
        reader=multirc,
    ),
    _task(
        "ReCoRD",
        {"kind": "question_answering", "max_length": 384, "doc_stride": 128},
        _cloze,
        (),
        by_best_answer(unanswerable=False),
        lambda rows, answers: lines(
            {"idx": row["idx"]["query"], "label": answer} for row, answer in zip(rows, answers, strict=True)
        ),
        reader=record,
        target=_entities,
        finish=nearest_entity,
    ),
    _task("RTE", _pair(256), texts("premise", "hypothesis"), TWO_WAY, by_accuracy, labels_by_line()),
    _task("WiC", _RELATION, _word_in_two, BOOLEAN, by_accuracy, labels_by_line()),
    _task(
        "WSC",
        _RELATION,
        _two_spans,
        BOOLEAN,
        by_accuracy,
        labels_by_line(str.capitalize),
        reader=spans,
        config="wsc.fixed",
    ),
    _task(
        "AX-b",
        _pair(256),
        texts("sentence1", "sentence2"),
        TWO_WAY,
        by_matthews,
        labels_by_line(),
        files={"test": (File("AX-b.jsonl", jsonl),)},
        parts=(Part("AX-b", "test"),),
        trained_as="rte",
    ),
    _task(
        "AX-g",
        _pair(256),
        texts("premise", "hypothesis"),
        TWO_WAY,
        by_parity(lambda raw: int(raw["idx"]) // 2),
        labels_by_line(),
        files={"test": (File("AX-g.jsonl", jsonl),)},
        parts=(Part("AX-g", "test"),),
        trained_as="rte",
    ),
)
SUPERGLUE = Suite(
    "superglue",
    "SuperGLUE",
    "https://super.gluebenchmark.com/tasks",
    TASKS,
    archive="superglue.zip",
    settings={"train_tokenizer": {"special_tokens": [*MARKERS]}},
    averaged=True,
)
