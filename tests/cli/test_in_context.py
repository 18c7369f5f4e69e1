"""lianzi in-context: the labels, or how good they are, from a bundle of a language model and a task's rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.serving.conftest import language_bundle
from tests.small_kinds import ROW_OF, paired, small_rows


def ask(*words: str) -> Result:
    return CliRunner().invoke(main, ["in-context", *words])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A bundle and the rows of three tasks."""
    folder = tmp_path_factory.mktemp("project")
    language_bundle(folder, "gpt2", tokenizer_folder)
    for kind in ("classification", "regression"):
        small_rows(folder / "artifacts" / "tasks" / kind, kind, ROW_OF[kind])
    small_rows(folder / "artifacts" / "tasks" / "pairs", "classification", paired, pair=True)
    return folder


@pytest.fixture(autouse=True)
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


BUNDLE = "bundle"


def test_texts_get_a_label_each() -> None:
    found = ask(BUNDLE, "classification", "ship wave", "street tower")
    assert found.exit_code == 0, found.output
    assert len(found.stdout.splitlines()) == 2
    assert {*found.stdout.splitlines()} <= {"city", "field", "sea"}


def test_words_of_more_tokens_than_others_are_told() -> None:
    found = ask(BUNDLE, "classification", "ship", "--word", "sea=ship wave water")
    assert "the words for" in found.stderr
    assert "--calibrated evens that out" in found.stderr
    assert ask(BUNDLE, "classification", "ship", "--word", "sea=ship wave water", "--calibrated").stderr == ""


def test_without_texts_the_test_rows_are_answered_beside_the_most_frequent_label() -> None:
    found = ask(BUNDLE, "classification", "--rows", "6", "--word", "sea=ship", "--calibrated")
    assert found.exit_code == 0, found.output
    assert found.output.startswith("classification: macro-F1 0.")
    assert "on 6 test rows; the most frequent label for all: 0." in found.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("regression",), "regression is a task of kind regression"),
        (("pairs",), "two texts a row"),
        (("nothing",), "no task here"),
        (("classification", "--word", "forest=tree"), "expected LABEL=WORD"),
        (("classification", "--template", "a"), "at its end"),
        (("classification", "ship", "--shots", "9"), "fewer shots"),
        (("classification", "␞x␟"), "have no place in a prompt"),
        (("classification", "\udc80"), "have no place in a prompt"),
        (("classification", "ship", "--word", "sea=␟"), "have no place in a prompt"),
    ],
)
def test_a_mistake_is_a_line(words: tuple[str, ...], told: str) -> None:
    found = ask(BUNDLE, *words)
    assert found.exit_code == 1
    assert told in found.output
    assert len(found.output.splitlines()) <= 2
