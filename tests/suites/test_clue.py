"""components.suites.clue: rows of CLUE's files, and answers as its site takes them."""

from __future__ import annotations

import json
from pathlib import Path

from components.suites.clue import c3
from components.suites.suite import suite_of


def test_a_span_is_found_by_its_first_character() -> None:
    target = {"span1_text": "船", "span1_index": 0, "span2_text": "它", "span2_index": 3}
    row = suite_of("clue/cluewsc2020").tasks[0].inputs({"text": "船到了它停", "target": target})
    assert [row["text"][slice(*row[name])] for name in ("head", "tail")] == ["船", "它"]


def test_a_dialogue_gives_a_row_a_question(tmp_path: Path) -> None:
    questions = [
        {"question": "哪裡？", "choice": ["海", "田"], "answer": "田"},
        {"id": 9, "question": "誰？", "choice": ["船"]},
    ]
    path = tmp_path / "m-train.json"
    path.write_text(json.dumps([[["在田裡"], questions, "7"]]), encoding="utf-8")
    task = suite_of("clue/c3").tasks[0]
    first, second = c3(path)
    assert (task.target(first), task.target(second)) == (1, None)
    assert task.inputs(first) == {"text": "在田裡 哪裡？", "choices": ["海", "田"]}
    sent = task.submissions[0].content([first, second], [1, 0])
    assert [json.loads(line) for line in sent.splitlines()] == [{"id": 0, "label": 1}, {"id": 9, "label": 0}]


def test_labels_are_sent_with_their_ids() -> None:
    sent = suite_of("clue/tnews").tasks[0].submissions[0].content([{"id": 3}, {"idx": 4}], ["108", "116"])
    assert [json.loads(line) for line in sent.splitlines()] == [
        {"id": 3, "label": "108"},
        {"id": 4, "label": "116"},
    ]
