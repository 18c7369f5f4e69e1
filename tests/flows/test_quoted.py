"""flows.quoted: messages that leave the machine tell nothing of the data."""

from __future__ import annotations

from flows.quoted import VALIDATION_PAGE, without_data


def test_a_broken_expectation_is_told_by_the_page_that_shows_it() -> None:
    finding = (
        "error: mail: expected: no address; broken by 1 of 9 rows (x on `text`): ann@b.org label='c' “write to ann”"
    )
    assert without_data(finding) == f"error: mail: the data breaks an expectation: see {VALIDATION_PAGE}"


def test_what_stands_between_quotation_marks_is_left_out() -> None:
    assert without_data("error: a.csv:3: unknown label 'ann@b.org'") == "error: a.csv:3: unknown label …"
    assert without_data('KeyError: "it\'s"; row “ann, cut') == "KeyError: …; row …"


def test_a_message_that_quotes_nothing_stays() -> None:
    message = "error: MLflow at http://there doesn't answer: it's away"
    assert without_data(message) == message
