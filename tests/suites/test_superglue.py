"""components.suites.superglue: spans and passages are where the published files say."""

from __future__ import annotations

import json
from pathlib import Path

from components.suites.suite import suite_of


def test_a_pronoun_and_its_noun_are_found_by_their_words() -> None:
    task = suite_of("superglue/wsc").tasks[0]
    raw = {
        "text": "Mark told Pete lies about himself. He should have been more truthful.",
        "span1_text": "Mark",
        "span1_index": 0,
        "span2_text": "He",
        "span2_index": 6,
    }
    row = task.inputs(raw)
    assert [row["text"][slice(*row[name])] for name in ("head", "tail")] == ["Mark", "He"]


def test_a_word_is_marked_in_both_sentences() -> None:
    task = suite_of("superglue/wic").tasks[0]
    raw = {
        "sentence1": "The bank rose.",
        "sentence2": "A bank lends.",
        "start1": 4,
        "end1": 8,
        "start2": 2,
        "end2": 6,
    }
    row = task.inputs(raw)
    assert [row["text"][slice(*row[name])] for name in ("head", "tail")] == ["bank", "bank"]


def test_answers_of_a_cloze_stand_in_the_passage_without_its_marks(tmp_path: Path) -> None:
    task = suite_of("superglue/record").tasks[0]
    path = tmp_path / "val.jsonl"
    passage = {
        "text": "Ahab sailed\n@highlight\nThe whale won.",
        "entities": [{"start": 0, "end": 3}, {"start": 27, "end": 31}],
    }
    query = {"query": "@placeholder won.", "idx": 5, "answers": [{"start": 27, "end": 31, "text": "whale"}]}
    path.write_text(json.dumps({"idx": 2, "passage": passage, "qas": [query]}))
    raw = task.files["validation"][0].read(path)[0]
    target = task.target(raw)
    assert task.inputs(raw)["context"] == "Ahab sailed. The whale won."
    assert target == {"text": ["whale"], "answer_start": [17]}
    assert raw["entities"] == ["Ahab", "whale"]
    assert json.loads(task.submissions[0].content([raw], ["whale"])) == {"idx": 5, "label": "whale"}


def test_answers_of_multirc_are_sent_by_passage_and_question() -> None:
    task = suite_of("superglue/multirc").tasks[0]
    rows = [{"idx": {"paragraph": 1, "question": 2, "answer": answer}} for answer in (3, 4)]
    sent = json.loads(task.submissions[0].content(rows, ["true", "false"]))
    assert sent == {
        "idx": 1,
        "passage": {"questions": [{"idx": 2, "answers": [{"idx": 3, "label": 1}, {"idx": 4, "label": 0}]}]},
    }


def test_truths_are_sent_as_the_site_has_them() -> None:
    for name, told in (("boolq", "true"), ("wic", "true"), ("wsc", "True")):
        task = suite_of(f"superglue/{name}").tasks[0]
        assert task.target({"label": True}) == task.target({"label": 1}) == "true"
        assert json.loads(task.submissions[0].content([{"idx": 4}], ["true"])) == {"idx": 4, "label": told}
