"""Rows that say what an earlier one says, over all blocks."""

from __future__ import annotations

import numpy as np

from components.corpus.duplicates import earlier_equal


def test_the_first_of_equal_rows_is_the_one_that_stays() -> None:
    marks = np.array([[5, 1], [3, 3], [5, 1], [5, 2], [3, 3], [5, 1]], dtype="<u8")
    assert earlier_equal(marks).tolist() == [-1, -1, 0, -1, 1, 0]


def test_no_rows_repeat_nothing() -> None:
    assert earlier_equal(np.empty((0, 2), dtype="<u8")).tolist() == []


def test_equal_rows_are_found_among_many() -> None:
    generator = np.random.default_rng(0)
    marks = generator.integers(0, 40, size=(2000, 2)).astype("<u8")
    seen: dict[tuple[int, int], int] = {}
    expected = []
    for number, (one, other) in enumerate(marks.tolist()):
        first = seen.setdefault((one, other), number)
        expected.append(-1 if first == number else first)
    assert earlier_equal(marks).tolist() == expected
