"""Forgetting as it is meant: curated again, the text of a row is nowhere, and every other row is where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components.corpus.curate import curate
from components.corpus.encoding import fingerprint
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals, add_removals, read_removals, spelling
from components.errors import DataError
from components.forgetting import has_own_id, original_document, original_labelled, removals_of, taken_out
from components.lineage import Row, find_rows, kept_rows
from components.run import RecordedRun
from components.tasks.config import RelationConfig, TaskConfig, TextsConfig
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, small_data, write

MAIL = (
    "The captain of the whaler can be written to at ahab@pequod.example.org, and the letter reaches him in Nantucket."
)
LONG = MAIL + " It was the whiteness of the whale that above all things appalled me, and " * 3 + "then the harbour."
STRANGE = ["#7", "a\tb", "a\nsea_en/d1", "a\u2028sea_en/d1", " d1 ", "d1\r", '{"id": "x"}']


class Project:
    """Data, artifacts and a list of removals in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.artifacts, self.list = folder, folder / "artifacts", folder / "removals.txt"
        self.data = small_data(folder / "data")

    def curate(self, **changes: Any) -> None:
        made = (self.data, self.list, self.artifacts / "corpus", self.artifacts / "tasks", self.folder / "reports")
        curate(curate_config(**changes), SOURCES, TASKS, 1, *made, RecordedRun())

    def kept(self) -> set[tuple[str, str]]:
        return {(row.place, row.id) for row in kept_rows(self.artifacts)}

    def forget(self, *row_ids: str) -> None:
        rows = [row for row_id in row_ids for row in find_rows(self.artifacts, row_id)]
        add_removals(self.list, removals_of(self.data, self.artifacts, rows))

    def holding(self, text: str) -> list[str]:
        """Everything that was made and holds a text: shards, tasks, quarantine, reports, the cache of blocks."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and self.data not in path.parents:
                told = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text("utf-8")
                if text in told:
                    found.append(path.relative_to(self.folder).as_posix())
        return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    return Project(tmp_path)


def add(project: Project, *rows: dict[str, Any], before: Sequence[dict[str, Any]] = ()) -> None:
    write(project.data / "corpus" / "sea_en.jsonl", [*before, *documents(60), *rows])


def add_labelled(project: Project, *rows: dict[str, Any], split: str = "train") -> None:
    path = project.data / "tasks" / "colour" / f"{split}.jsonl"
    write(path, [*map(json.loads, path.read_text("utf-8").splitlines()), *rows])


@pytest.mark.parametrize("asked", ["sea_en/mail", "colour/train/mail"])
@pytest.mark.parametrize("scrub", [["email"], []])
def test_a_text_with_an_address_goes_from_corpus_and_task_whichever_was_named(
    asked: str, scrub: list[str], project: Project
) -> None:
    add(project, {"id": "mail", "text": MAIL})
    add_labelled(project, {"id": "mail", "text": MAIL, "label": "a"})
    project.curate(scrub=scrub)
    before = project.kept()
    assert before >= {("corpus", "sea_en/mail"), ("tasks", "colour/train/mail")}
    project.forget(asked)
    project.curate(scrub=scrub)
    assert before - project.kept() == {("corpus", "sea_en/mail"), ("tasks", "colour/train/mail")}
    assert project.kept() <= before
    assert project.holding("pequod") == project.holding("Nantucket") == []


@pytest.mark.parametrize(
    "variant",
    ["the cafÃ©â€™s {}", "the café’s\u200b {}", "  the café’s {}\r\n", "the café’s {}\ufffd", "the cafe\u0301’s {}"],
)
def test_a_copy_that_was_put_right_goes_with_one_that_was_not(variant: str, project: Project) -> None:
    rest = documents(1, seed=9)[0]["text"]
    add(project, {"id": "right", "text": f"the café’s {rest}"})
    add_labelled(project, {"id": "wrong", "text": variant.format(rest), "label": "a"})
    project.curate()
    before = project.kept()
    project.forget("sea_en/right")
    project.curate()
    assert before - project.kept() == {("corpus", "sea_en/right"), ("tasks", "colour/train/wrong")}
    assert project.holding(rest[20:60]) == []


@pytest.mark.parametrize("own_id", STRANGE)
def test_an_id_of_any_characters_goes_and_no_other_row_with_it(own_id: str, project: Project) -> None:
    add(project, {"id": own_id, "text": MAIL})
    project.curate()
    before = project.kept()
    project.forget(f"sea_en/{own_id}")
    project.curate()
    assert before - project.kept() == {("corpus", f"sea_en/{own_id}")}
    assert project.holding("Nantucket") == []


def test_a_source_may_be_called_as_a_remark_begins(project: Project) -> None:
    write(project.data / "corpus" / "#notes.jsonl", [{"id": "1", "text": MAIL}])
    project.curate()
    project.forget("#notes/1")
    project.curate()
    assert ("corpus", "#notes/1") not in project.kept()


def test_a_source_called_as_a_task_keeps_its_row_when_the_tasks_goes(project: Project) -> None:
    other = documents(1, seed=3)[0]["text"]
    write(project.data / "corpus" / "colour" / "train.jsonl", [{"id": "x", "text": MAIL}])
    add_labelled(project, {"id": "x", "text": other, "label": "a"})
    project.curate()
    before = project.kept()
    assert before >= {("corpus", "colour/train/x"), ("tasks", "colour/train/x")}
    project.forget("tasks:colour/train/x")
    project.curate()
    assert before - project.kept() == {("tasks", "colour/train/x")}


def test_a_row_without_an_id_goes_and_the_one_that_moves_to_its_line_stays(project: Project) -> None:
    add(project, before=[{"text": MAIL}, {"text": documents(1, seed=4)[0]["text"]}])
    project.curate()
    project.forget("sea_en/line-1")
    add(project, before=[{"text": documents(1, seed=4)[0]["text"]}])
    project.curate()
    assert ("corpus", "sea_en/line-1") in project.kept()
    add(project, before=[{"text": documents(1, seed=4)[0]["text"]}, {"text": MAIL}])
    project.curate()
    assert project.holding("Nantucket") == []


def test_a_row_that_stands_in_quarantine_takes_what_it_repeats_along(project: Project) -> None:
    add(project, {"id": "first", "text": LONG}, {"id": "second", "text": LONG})
    project.curate()
    assert find_rows(project.artifacts, "sea_en/second")[0].reason == "duplicate"
    project.forget("sea_en/second")
    project.curate()
    assert ("corpus", "sea_en/first") not in project.kept()
    assert project.holding("Nantucket") == []


def test_the_excerpt_of_a_row_in_quarantine_takes_no_row_that_says_just_that(project: Project) -> None:
    excerpt = documents(1, seed=8)[0]["text"]
    add(project, {"id": "short", "text": excerpt[:200]}, {"id": "long", "text": f"{excerpt[:200]} {'whale ' * 40_000}"})
    project.curate()
    assert find_rows(project.artifacts, "sea_en/long")[0].reason
    project.forget("sea_en/long")
    project.curate()
    assert ("corpus", "sea_en/short") in project.kept()


def test_what_repeated_a_row_does_not_take_its_place(project: Project) -> None:
    near = LONG.replace("harbour", "haven")
    add(project, {"id": "first", "text": LONG}, {"id": "copy", "text": LONG}, {"text": near})
    project.curate()
    assert find_rows(project.artifacts, "sea_en/first")[0].same == ("sea_en/copy", "sea_en/line-63")
    project.forget("sea_en/first")
    project.curate()
    assert not {name for _, name in project.kept()} & {"sea_en/first", "sea_en/copy", "sea_en/line-63"}
    assert project.holding("whiteness") == []


def test_a_repetition_of_a_forgotten_row_leaves_no_excerpt(project: Project) -> None:
    add_labelled(project, {"id": "x", "text": LONG, "label": "a"}, {"id": "y", "text": LONG, "label": "b"})
    project.list.write_text('{"id": "colour/train/x"}\n')
    project.curate()
    assert ("tasks", "colour/train/y") in project.kept()
    project.forget("colour/train/x", "colour/train/y")
    project.curate()
    assert project.holding("Nantucket") == []


def test_both_rows_of_an_id_that_a_file_gives_twice_go(project: Project) -> None:
    other = documents(1, seed=5)[0]["text"]
    add(project, {"id": "twice", "text": MAIL}, {"id": "twice", "text": other})
    project.curate()
    assert len(find_rows(project.artifacts, "sea_en/twice")) == 2
    project.forget("sea_en/twice")
    assert len(read_removals(project.list).fingerprints) == 2


def test_a_list_of_earlier_days_still_takes_out_what_it_named(project: Project) -> None:
    add(project, {"id": "mail", "text": MAIL}, {"id": "whole", "text": LONG})
    add_labelled(project, {"id": "mail", "text": MAIL, "label": "a"})
    scrubbed = MAIL.replace("ahab@pequod.example.org", "<EMAIL>")
    project.list.write_text(f"# before\nsea_en/gone\t{spelling(scrubbed).hex()}\nsea_en/whole\n")
    project.curate()
    assert not {name for _, name in project.kept()} & {"sea_en/mail", "colour/train/mail", "sea_en/whole"}
    assert project.holding("Nantucket") == []


def test_a_row_without_text_to_be_had_is_refused(project: Project) -> None:
    add(project, {"text": "tiny"})
    project.curate()
    rows = find_rows(project.artifacts, "sea_en/line-61")
    (project.data / "corpus" / "sea_en.jsonl").unlink()
    with pytest.raises(DataError, match=r"sea_en/line-61: left out \(too_short\), and its text .*\nrun `lianzi run`"):
        removals_of(project.data, project.artifacts, rows)


def test_a_line_whose_data_changed_gives_the_text_that_was_curated(project: Project) -> None:
    add(project, {"text": MAIL})
    project.curate()
    rows = find_rows(project.artifacts, "sea_en/line-61")
    add(project, {"text": documents(1, seed=6)[0]["text"]})
    [removal] = removals_of(project.data, project.artifacts, rows)
    assert removal.text == fingerprint(MAIL)


def test_what_a_list_takes_is_counted_and_copies_are_named(project: Project) -> None:
    add(project, {"id": "mail", "text": MAIL}, {"id": "around", "text": LONG})
    add_labelled(project, {"id": "mail", "text": MAIL, "label": "a"})
    project.curate()
    rows = find_rows(project.artifacts, "sea_en/mail")
    new = Removals().plus(removals_of(project.data, project.artifacts, rows))
    taken = taken_out(project.artifacts, rows, Removals(), new)
    assert (taken.before, taken.after) == (0, 2)
    assert [row.id for row in taken.copies] == ["colour/train/mail"]
    assert [row.id for row in taken.around] == ["sea_en/around"]


def test_a_list_that_would_take_another_row_or_leave_this_one_is_refused(project: Project) -> None:
    project.curate()
    rows = find_rows(project.artifacts, "sea_en/d0")
    with pytest.raises(DataError, match="sea_en/d0: would stay all the same"):
        taken_out(project.artifacts, rows, Removals(), Removals())
    innocent = Removals(frozenset({("corpus", "sea_en/d0"), ("corpus", "sea_en/d1")}))
    with pytest.raises(DataError, match="sea_en/d1: would go as well"):
        taken_out(project.artifacts, rows, Removals(), innocent)


@pytest.mark.parametrize(
    ("config", "row", "other"),
    [
        (
            TextsConfig(kind="classification", language="en", max_length=16, pair=True),
            {"text": "A dog runs.", "text_pair": "An animal moves.", "label": "follows"},
            {"text": "A dog runs.", "text_pair": "A cat sleeps.", "label": "not"},
        ),
        (
            RelationConfig(kind="relation_extraction", language="en", max_length=16),
            {"text": "Accra is in Ghana.", "head": [0, 5], "tail": [12, 17], "label": "city_in"},
            {"text": "Accra is in Ghana.", "head": [12, 17], "tail": [0, 5], "label": "has_city"},
        ),
        (
            TaskConfig(kind="multiple_choice", language="en", max_length=16),
            {"text": "Who?", "choices": ["Melville", "Poe"], "label": 0},
            {"text": "Who?", "choices": ["Melville", "Twain"], "label": 0},
        ),
    ],
)
def test_a_row_of_several_texts_goes_by_all_of_them(
    config: TaskConfig, row: dict[str, Any], other: dict[str, Any], tmp_path: Path
) -> None:
    data, artifact = tmp_path / "data", tmp_path / "artifacts" / "tasks" / "asked"
    for split in ("train", "validation", "test"):
        marked = [one | {"text": f"{one['text']}{'' if split == 'train' else ' ' + split}"} for one in (row, other)]
        write(data / "tasks" / "asked" / f"{split}.jsonl", [{"id": f"r{n}", **one} for n, one in enumerate(marked)])
    curate_task(config, data / "tasks" / "asked", data, artifact, Removals())
    [found] = find_rows(tmp_path / "artifacts", "asked/train/r0")
    taken = Removals().plus(removals_of(data, tmp_path / "artifacts", [found]))
    gone = {kept.id for kept in kept_rows(tmp_path / "artifacts") if taken.has("x", "x", fingerprint(kept.text))}
    assert gone == {"asked/train/r0"}


def test_rows_of_two_places_are_two_rows(tmp_path: Path) -> None:
    document = Row("corpus/x", tmp_path / "corpus", "corpus/corpus.jsonl", 1, "train", "")
    labelled = Row("corpus/x", tmp_path / "tasks" / "corpus", "tasks/corpus", 0, "train", "")
    assert (document.place, labelled.place) == ("corpus", "tasks")


def test_a_document_is_found_on_its_line_under_its_id(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    write(data / "corpus" / "lake" / "deep.jsonl", [{"text": "one"}, {"id": "b", "text": "two a@b.example"}])
    record = original_document(data, "corpus/lake/deep.jsonl", 2, "lake/deep/b")
    assert record is not None
    assert record.text() == "two a@b.example"
    assert has_own_id(record)
    first = original_document(data, "corpus/lake/deep.jsonl", 1, "lake/deep/line-1")
    assert first is not None
    assert not has_own_id(first)
    assert original_document(data, "corpus/lake/deep.jsonl", 1, "lake/deep/b") is None
    assert original_document(data, "corpus/lake/deep.jsonl", 3, "lake/deep/c") is None
    assert original_document(data, "corpus/gone.jsonl", 1, "gone/a") is None


def test_a_labelled_row_is_found_by_its_name(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    assert [record.line for record in original_labelled(data, "colour", "train/line-2")] == [2]
    assert original_labelled(data, "colour", "train/line-9") == []
    assert original_labelled(data, "nothing", "train/line-1") == []
