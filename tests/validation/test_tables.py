"""What a suite looks at: the rows as they are, and what was measured on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.validation.tables import corpus_table, held_out_texts, task_tables

if TYPE_CHECKING:
    from conftest import Curated

    from components.params import TaskConfig

Tasks = dict[str, "TaskConfig"]


def test_corpus_table_holds_both_splits_and_what_was_measured(curated: Curated) -> None:
    curated.write()
    frame = corpus_table(curated.folder / "corpus", {}).frame
    assert len(frame) == 41
    assert list(frame) == [
        *("id", "text", "source", "language"),
        *("characters", "fingerprint", "script_fits", "held_out_in"),
    ]
    assert frame["characters"].iloc[0] == len(curated.corpus["train"][0]["text"])
    assert frame["script_fits"].all()
    assert frame["held_out_in"].isna().all()


def test_texts_of_held_out_rows_are_recognised_in_the_corpus(curated: Curated, tasks: Tasks) -> None:
    curated.corpus["train"][2]["text"] = "test row 7"
    curated.corpus["train"][3]["text"] = "train row 7"
    curated.write()
    held_out = held_out_texts(curated.folder / "tasks", tasks)
    frame = corpus_table(curated.folder / "corpus", held_out).frame
    assert frame["held_out_in"].dropna().to_dict() == {2: "colour/test"}


def test_each_split_is_compared_with_those_held_out_from_it(curated: Curated, tasks: Tasks) -> None:
    curated.task["train"][0]["text"] = "validation row 1"
    curated.task["validation"][0]["text"] = "test row 1"
    curated.write()
    tables = {table.split: table.frame for table in task_tables(curated.folder / "tasks", tasks)}
    found = {split: frame["held_out_in"].dropna().tolist() for split, frame in tables.items()}
    assert found == {"test": [], "validation": ["colour/test"], "train": ["colour/validation"]}


def test_label_share_is_that_of_the_rows_own_label(curated: Curated, tasks: Tasks) -> None:
    curated.task["train"] = curated.task["train"][:2] + [row | {"label": "a"} for row in curated.task["train"][2:]]
    curated.write()
    [train] = [table.frame for table in task_tables(curated.folder / "tasks", tasks) if table.split == "train"]
    assert dict(zip(train["label"], train["label_share"], strict=True)) == {"a": 0.95, "b": 0.05}


def test_a_column_too_many_stays_to_be_seen_and_a_missing_text_is_null(curated: Curated) -> None:
    curated.corpus["train"][0] |= {"text": None, "mood": "sad"}
    curated.write()
    frame = corpus_table(curated.folder / "corpus", {}).frame
    assert list(frame)[-1] == "mood"
    assert frame["characters"].isna().sum() == 1


def test_long_texts_are_cut_to_an_excerpt_after_they_are_measured(curated: Curated) -> None:
    curated.corpus["train"][0]["text"] = "long " * 1000
    curated.write()
    row = corpus_table(curated.folder / "corpus", {}).frame.iloc[0]
    assert (len(row["text"]), row["characters"]) == (80, 5000)
