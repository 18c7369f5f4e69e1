"""SQuAD 1.1 (Rajpurkar 2016) and 2.0 (Rajpurkar 2018); test rows are kept by its authors, so the dev rows count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from components.suites.formats import squad
from components.suites.scores import by_best_answer
from components.suites.suite import File, Part, Raw, Submission, Suite, SuiteTask

SOURCE = "https://rajpurkar.github.io/SQuAD-explorer"


def asked(raw: Raw) -> dict[str, Any]:
    return {"question": raw["question"], "context": raw["context"]}


def answered(raw: Raw) -> dict[str, list[Any]]:
    return {name: [*raw["answers"][name]] for name in ("text", "answer_start")}


def by_id(rows: Sequence[Raw], answers: Sequence[Any]) -> str:
    """The JSON that SQuAD's evaluation script reads: id -> answer."""
    found = {str(row["id"]): answer for row, answer in zip(rows, answers, strict=True)}
    return json.dumps(found, ensure_ascii=False)


def _suite(name: str, title: str, version: str, config: str, unanswerable: bool) -> Suite:
    task = SuiteTask(
        name=name,
        hub=f"rajpurkar/{name}",
        config=config,
        folders=(name, "squad", title, "SQuAD"),
        files={
            "train": (File(f"train-v{version}.json", squad),),
            "validation": (File(f"dev-v{version}.json", squad),),
        },
        kind={"kind": "question_answering", "language": "en", "max_length": 384, "doc_stride": 128},
        inputs=asked,
        target=answered,
        score=by_best_answer(unanswerable),
        parts=(Part(title, "validation"),),
        submissions=(Submission("predictions.json", "validation", by_id),),
    )
    return Suite(name, title, SOURCE, (task,))


SQUAD = _suite("squad", "SQuAD 1.1", "1.1", "plain_text", unanswerable=False)
SQUAD_V2 = _suite("squad_v2", "SQuAD 2.0", "2.0", "squad_v2", unanswerable=True)
