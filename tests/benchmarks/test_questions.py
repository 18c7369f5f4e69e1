"""Questions in TREC's form: derived, always the same, with words in the test rows that no training row has."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.questions import ROWS, SHARES, Lead, abbreviation, asked_by_its_sentence, known, read_leads, write_task


def lead(text: str, about: str = "entity", name: str = "a thing") -> Lead:
    return Lead("1", name, text, about)


def leads_file(folder: Path, *texts: tuple[str, str]) -> Path:
    lines = (json.dumps({"id": f"w{n}", "title": title, "text": text}) for n, (title, text) in enumerate(texts))
    path = folder / "leads.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.fixture(scope="module")
def task(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    leads = root / "data" / "corpus" / "wiki_leads_en.jsonl.gz"
    if not leads.is_file():
        pytest.skip("the sample data is not here: dvc pull data")
    folder = tmp_path_factory.mktemp("questions")
    write_task(folder, leads)
    return folder


def rows(task: Path, split: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_sentence_becomes_the_question_that_it_answers() -> None:
    text = "Breccia is a clastic rock composed of large angular broken fragments of minerals, cemented together."
    question = asked_by_its_sentence(lead(text, name="Breccia"))
    assert question is not None
    assert question.endswith(" clastic rock is composed of large angular broken fragments of minerals?")


def test_a_sentence_that_holds_the_answer_asks_nothing() -> None:
    assert asked_by_its_sentence(lead("A protest song is a song that is associated with protest.", name="song")) is None


def test_a_name_with_its_short_form_is_asked_for_either() -> None:
    question = abbreviation(lead("The International Atomic Energy Agency (IAEA) is an organization."))
    assert question is not None
    assert "IAEA" in question or "International Atomic Energy Agency" in question
    assert abbreviation(lead("Breccia (rock) is a rock.")) is None


def test_persons_places_and_things_are_told_apart(tmp_path: Path) -> None:
    path = leads_file(
        tmp_path,
        ("Steve Biko", "Stephen Biko (1946 – 1977) was a South African activist from the Cape."),
        ("Petra", "Petra is an ancient city in southern Jordan."),
        ("Breccia", "Breccia is a clastic rock composed of fragments."),
    )
    assert {one.name: one.about for one in read_leads(path)} == {
        "Steve Biko": "human",
        "Petra": "location",
        "Breccia": "entity",
    }


def test_some_words_are_kept_from_the_training_rows() -> None:
    words = [f"word{number}" for number in range(100)]
    assert known(words, "test") == words
    assert 50 < len(known(words, "train")) < 90


def test_the_task_has_trecs_six_kinds_and_no_question_twice(task: Path) -> None:
    texts = []
    for split, wanted in ROWS.items():
        found = rows(task, split)
        assert len(found) == pytest.approx(wanted, abs=len(SHARES))
        counts = Counter(row["label"] for row in found)
        assert {label: counts[label] / len(found) for label in SHARES} == pytest.approx(SHARES, abs=0.01)
        texts += [row["text"].lower() for row in found]
    assert len(set(texts)) == len(texts)


def test_the_same_leads_give_the_same_bytes(task: Path, root: Path, tmp_path: Path) -> None:
    write_task(tmp_path, root / "data" / "corpus" / "wiki_leads_en.jsonl.gz")
    for split in ROWS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (task / f"{split}.jsonl").read_bytes()


def test_how_a_question_begins_does_not_tell_its_label(task: Path) -> None:
    """By the first two words alone a guess is right on about half of the rows."""
    by_start: dict[str, Counter[str]] = {}
    for row in rows(task, "train"):
        by_start.setdefault(" ".join(row["text"].split()[:2]), Counter())[row["label"]] += 1
    test = rows(task, "test")
    guesses = [by_start.get(" ".join(row["text"].split()[:2]), Counter()).most_common(1) for row in test]
    right = sum(bool(guess) and guess[0][0] == row["label"] for guess, row in zip(guesses, test, strict=True))
    assert right / len(test) < 0.55
