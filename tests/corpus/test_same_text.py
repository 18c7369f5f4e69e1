"""What counts as the same text, whatever was repaired or scrubbed in one copy and not in the other."""

from __future__ import annotations

import pytest

from components.corpus.personal_data import KINDS, scrubbed
from components.corpus.same_text import compared_form, fingerprint, mark_of

MAIL = "Write to ahab@pequod.example.org, or call +44 20 7946 0958, the captain said."


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (MAIL, "Write to <EMAIL>, or call <PHONE>, the captain said."),
        (MAIL, scrubbed(MAIL, ["phone"])[0]),
        ("the café’s door", "the cafÃ©â€™s door"),
        ("words with\u200b a gap", "words with a gap"),
        ("lost \ufffdbytes", "lost bytes"),
        (" one\r\ntwo ", "one\ntwo"),
    ],
)
def test_copies_that_were_put_right_or_scrubbed_are_the_same(one: str, another: str) -> None:
    assert fingerprint(one) == fingerprint(another)


def test_other_words_another_case_and_other_spaces_are_other_texts() -> None:
    assert len({fingerprint(text) for text in ("a b", "A b", "a  b", "a c", "")}) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_of_a_form_is_itself(kind: str) -> None:
    form = compared_form(scrubbed(MAIL, [kind])[0])
    assert compared_form(form) == form
    assert mark_of(form) == fingerprint(MAIL)
    assert len(mark_of(form)) == 16
