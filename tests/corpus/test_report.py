"""The page of a curation, from its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.corpus.counts import CorpusCounts
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.corpus.report import write_report
from components.corpus.write_block import LENGTHS, BlockCounts
from components.tasks.config import TaskConfig
from tests.browser import await_text, open_browser
from tests.corpus.small_corpus import write

CLASSIFICATION = TaskConfig(kind="classification", language="en", max_length=16)


def rows_of_a_task(folder: Path) -> Path:
    """A task with a label that no test row has, a column that nobody asked for, and a row that is there twice."""
    rows = folder / "data" / "tasks" / "colour"
    train = [
        {"text": text, "label": label, "text_b": "x"} for text, label in (("red", "a"), ("blue", "b"), ("red", "a"))
    ]
    write(rows / "train.jsonl", train)
    write(rows / "validation.jsonl", [{"text": "pink", "label": "a"}, {"text": "cyan", "label": "b"}])
    write(rows / "test.jsonl", [{"text": "grey", "label": "a"}])
    return rows


def test_the_page_names_reasons_places_and_lengths(tmp_path: Path) -> None:
    account = BlockCounts("sea")
    account.kept.update(train=1, validation=1)
    account.languages["zh"] = 2
    account.lengths["zh"] = np.histogram([12, 130], LENGTHS)[0]
    text = "<script>alert(1)</script>"
    account.rejected = [{"file": "corpus/sea.txt", "line": 7, "id": "sea/7", "reason": "too_short", "text": text}]
    counts = CorpusCounts()
    counts.add(account)
    task = curate_task(CLASSIFICATION, rows_of_a_task(tmp_path), tmp_path / "data", tmp_path / "out", Removals())
    write_report(tmp_path, counts, {"colour": task}, ["params.yaml: corpus.see: no such source"])
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "2 of 3 rows kept as documents (66.7%)" in page
    assert "too_short: 1" in page
    assert "corpus/sea.txt:7" in page
    assert "<script>" not in page
    assert "10 to 18: 1" in page
    assert "colour: 5 of 6 labelled rows kept (train 2 of 3, validation 2 of 2, test 1 of 1); quarantined" in page
    assert "no test row has the label &#x27;b&#x27;" in page
    assert "train.jsonl: the column &#x27;text_b&#x27; is not used" in page
    assert "tasks/colour/train.jsonl:3" in page
    assert "corpus.see: no such source" in page


def test_a_person_sees_each_tasks_rows_in_the_page(tmp_path: Path) -> None:
    counts = CorpusCounts()
    counts.flows["sea", "train"] = 3
    task = curate_task(CLASSIFICATION, rows_of_a_task(tmp_path), tmp_path / "data", tmp_path / "out", Removals())
    write_report(tmp_path, counts, {"colour": task}, [])
    with open_browser(1000) as browser:
        browser.get((tmp_path / "index.html").as_uri())
        told = await_text(browser, "Labelled rows", "colour")
        assert "read\tkept\tduplicate" in told
        assert "train\t3\t2\t1" in told
        assert "all\t6\t5\t1" in told
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
