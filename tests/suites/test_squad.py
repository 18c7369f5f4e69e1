"""components.suites.squad: questions of SQuAD's files, and answers as its script reads them."""

from __future__ import annotations

import json
from pathlib import Path

from components.suites.suite import suite_of
from tests.small_suites import small_suite


def test_questions_have_the_hubs_columns_and_answers_are_sent_by_id(tmp_path: Path) -> None:
    task = suite_of("squad_v2").tasks[0]
    rows = task.files["validation"][0].read(small_suite("squad_v2", tmp_path) / "dev-v2.0.json")
    assert task.target(rows[0]) == {"text": [], "answer_start": []}
    answer = task.target(rows[1])
    assert rows[1]["context"].startswith(answer["text"][0], answer["answer_start"][0])
    sent = json.loads(task.submissions[0].content(rows[:2], ["", "whale"]))
    assert sent == {"validation0": "", "validation1": "whale"}
