"""components.suites.glue: answers as GLUE's site takes them."""

from __future__ import annotations

from components.suites.suite import suite_of


def sent(name: str, answers: list[object]) -> list[str]:
    """The lines of a task's first file."""
    task = suite_of(f"glue/{name}").tasks[-1]
    return task.submissions[0].content([{}] * len(answers), answers).splitlines()[1:]


def test_labels_are_sent_as_numbers_or_names_as_the_site_asks() -> None:
    assert sent("cola", ["acceptable", "unacceptable"]) == ["0\t1", "1\t0"]
    assert sent("wnli", ["entailment"]) == ["0\t1"]
    assert sent("ax", ["contradiction"]) == ["0\tcontradiction"]
    assert sent("stsb", [5.2, 1.23456]) == ["0\t5.000", "1\t1.235"]


def test_a_hidden_number_is_none() -> None:
    target = suite_of("glue/stsb").tasks[0].target
    assert [target({"label": label}) for label in ("3.5", -1.0, "", None)] == [3.5, None, None, None]
