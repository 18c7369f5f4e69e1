"""Every seeded fault is found in the row it was put into, and no clean row is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.corpus import near_duplicates
from components.corpus.decontamination import HeldOut
from components.corpus.row_filter import FilteredRow, RowFilter
from components.params import load_params
from tests.corpus.seeded_faults import (
    EACH,
    ROWS,
    SeededRow,
    contradicting,
    fault_kinds,
    held_out_rows,
    labelled_rows,
    seeded_rows,
)

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate


@dataclass(frozen=True)
class Outcome:
    """What became of a row: `fate` is `kept` or a reason, `of` the row that it repeats."""

    filtered: FilteredRow
    fate: str
    of: str = ""


def outcomes(rows: list[SeededRow]) -> dict[str, Outcome]:
    """The methods one after another, as the stage applies them."""
    row_filter, held_out = RowFilter(CONFIG, {"seeded": "en"}), HeldOut(held_out_rows(), CONFIG)
    judged = [row_filter.apply(row.text, row.language, "seeded") for row in rows]
    reasons = [found.reason or held_out.match(found.text, found.language).reason for found in judged]
    left = [place for place, reason in enumerate(reasons) if reason is None]
    texts, languages = [judged[place].text for place in left], [judged[place].language for place in left]
    first = near_duplicates.find_near_duplicates([near_duplicates.signatures(texts, languages, CONFIG)], CONFIG)
    repeats = {left[place]: left[of] for place, of in enumerate(first) if of >= 0}
    return {
        row.id: Outcome(
            judged[place],
            reasons[place] or ("near_duplicate" if place in repeats else "kept"),
            rows[repeats[place]].id if place in repeats else "",
        )
        for place, row in enumerate(rows)
    }


@pytest.fixture(scope="module")
def rows() -> list[SeededRow]:
    return seeded_rows()


@pytest.fixture(scope="module")
def found(rows: list[SeededRow]) -> dict[str, Outcome]:
    return outcomes(rows)


def test_there_are_a_thousand_rows_with_faults_of_25_kinds(rows: list[SeededRow]) -> None:
    assert len(rows) == len({row.id for row in rows}) == ROWS
    kinds = Counter(row.fault for row in [*rows, *labelled_rows()] if row.fault)
    assert kinds == dict.fromkeys(fault_kinds(), EACH)
    assert len(kinds) == 25


def test_rows_are_the_same_every_time(rows: list[SeededRow]) -> None:
    assert rows == seeded_rows()


@pytest.mark.parametrize("kind", [kind for kind in fault_kinds() if kind != "wrong_label"])
def test_every_fault_is_found_in_its_row(kind: str, rows: list[SeededRow], found: dict[str, Outcome]) -> None:
    for row in (row for row in rows if row.fault == kind):
        outcome = found[row.id]
        assert (row.id, outcome.fate, outcome.of) == (row.id, row.expected, row.of)
        assert not row.change or row.change in outcome.filtered.changes, row.id
        assert not row.gone or row.gone not in outcome.filtered.text, row.id


def test_no_clean_row_is_lost_or_changed(rows: list[SeededRow], found: dict[str, Outcome]) -> None:
    clean = [row for row in rows if not row.fault]
    assert len(clean) > 800
    assert [row.id for row in clean if found[row.id].fate != "kept"] == []
    assert [row.id for row in clean if found[row.id].filtered.text != row.text] == []


def test_labels_that_contradict_an_identical_text_are_known() -> None:
    rows = labelled_rows()
    assert contradicting(rows) == [row.id for row in rows if row.fault == "wrong_label"]
