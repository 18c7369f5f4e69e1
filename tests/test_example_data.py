"""The rows of the examples that are derived: what becomes of a sentence, a title, a rating."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def infra(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(root / "infra")
    return root / "infra"


@pytest.fixture
def texts(infra: Path) -> ModuleType:
    return __import__("example_texts")


@pytest.fixture
def names(infra: Path) -> ModuleType:
    return __import__("names_in_chinese")


def test_a_rating_close_to_zero_is_no_sentiment(texts: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "rated.txt"
    file.write_text(
        "1\t2.1\tit works well.\n2\t-0.4\tit is a box.\n3\t-1.5\tit broke  twice.\n4\t-2\task a@example.org now\n"
    )
    assert list(texts.reviews(file)) == [
        {"text": "it works well.", "label": "positive"},
        {"text": "it broke twice.", "label": "negative"},
    ]


def test_the_second_day_is_earlier_or_later(texts: ModuleType) -> None:
    for row in islice(texts.two_days(), 50):
        one = datetime.strptime(row["text"], "%B %d, %Y").date()
        assert (row["label"] == "later") == (date.fromisoformat(row["text_pair"]) >= one)


def test_the_word_of_a_gap_is_among_its_choices(texts: ModuleType) -> None:
    sentence = "Accra is the capital of Ghana."
    row = next(texts.gaps([sentence]))
    assert row["text"].replace("___", row["choices"][row["label"]]) == sentence
    assert len({*row["choices"]}) == 4


def test_poets_and_places_of_a_title_are_marked(names: ModuleType) -> None:
    row = names.marks("送王維歸長安 其二", {"王維": "PER", "長安": "LOC"})
    assert row["text"] == "送王維歸長安"
    assert row["tags"] == ["O", "B-PER", "I-PER", "O", "B-LOC", "I-LOC"]
    assert names.marks("送友人歸山", {"王維": "PER"}) is None


def test_monks_and_ladies_are_no_names(names: ModuleType) -> None:
    assert [poet for poet in ("王維", "齊己", "寒山", "張氏", "李夫人") if names.is_a_name(poet)] == ["王維"]


def test_a_word_is_tagged_by_lexicon_suffix_and_neighbours(infra: Path, tmp_path: Path) -> None:
    (tmp_path / "en-lexicon.txt").write_text(";;; words\nthe DT\nto TO\nrun NN\n. .\n")
    (tmp_path / "en-morphology.txt").write_text("NN ing fhassuf 3 VBG x\nly hassuf 2 RB x\n")
    (tmp_path / "en-context.txt").write_text("NN VB PREVTAG TO\n")
    tagger = __import__("brill").Tagger.read(tmp_path)
    assert tagger.tags(["The", "run", "to", "run", "quickly", "."]) == ["DET", "NOUN", "PART", "VERB", "ADV", "."]
    assert tagger.tags(["the", "Ghana", "of", "1957"])[1::2] == ["NAME", "NUM"]


def test_some_answers_are_asked_for_in_test_rows_alone(infra: Path) -> None:
    splits = __import__("help_questions").splits()
    answers = {split: {row["answer"] for row in rows} for split, rows in splits.items()}
    assert len(answers["train"]) < len(answers["test"]) == 60
    questions = [row["question"] for rows in splits.values() for row in rows]
    assert len({*questions}) == len(questions) == 2160


def test_the_thing_of_a_story_and_its_hero_stay_the_same(infra: Path) -> None:
    small = __import__("small_stories")
    for row in small.stories(50):
        text = row["text"]
        assert 1 <= sum(name in text.split(". ")[0] for name in small.NAMES) <= 2
        assert sum(f" {name}" in f" {text}" for name in small.NAMES) == 2
        assert sum(f"{colour} {thing}" in text for colour in small.COLOURS for thing in small.THINGS) == 1


def test_an_order_names_what_is_wanted_and_what_is_not(infra: Path) -> None:
    small = __import__("small_pizzas")
    for row in small.orders(50):
        named = {topping for topping in small.TOPPINGS if topping in row["text"]}
        assert {*row["labels"]} < named


def test_a_function_made_by_rule_passes_its_tests(infra: Path) -> None:
    for row in __import__("small_functions").functions(100):
        exec(f"{row['prompt']}{row['completion']}\n{row['test']}", {})


def test_functions_with_a_licence_of_their_own_are_no_corpus(infra: Path, tmp_path: Path) -> None:
    (tmp_path / "free.py").write_text("class One:\n    def two(self):\n        return 2\n")
    (tmp_path / "owned.py").write_text("# Copyright: someone\ndef three():\n    return 3\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "free.py").write_text("def four():\n    return 4\n")
    found = __import__("library_functions").library_functions(tmp_path)
    assert list(found) == [{"text": "def two(self):\n    return 2"}]


def test_an_order_has_the_price_of_what_was_asked_for(infra: Path) -> None:
    small = __import__("small_orders")
    order = small.conversation(lambda of: 0)
    assert order[1].startswith("One coffee, here: that is 3 euros.")
    two = small.conversation(lambda of: {"items": 1, "number of cake": 2, "coffee": 1, "cake": 0}.get(of, 5))
    assert two[1].startswith("Three cakes and two coffees, to go: that is 21 euros.")
    assert all(row["messages"][3]["role"] == "assistant" for row in small.conversations(5))


def test_the_line_about_a_letter_says_who_wrote_and_what_was_ordered(infra: Path) -> None:
    for row in __import__("small_letters").letters(50):
        name, _, city, colour, thing, *_ = row["target"].replace(":", "").split()
        assert all(word in row["text"] for word in (name, city, colour, thing))


def test_who_taught_whom_has_a_direction(infra: Path) -> None:
    rows = __import__("small_teachers").sentence(lambda of: 0)
    text = "The baker Ada of Bath taught the baker Ben of Bath, who taught the baker Chen of Bath in 1900."
    assert {row["text"] for row in rows} == {text}
    found = {tuple(text[slice(*row[side])] for side in ("head", "tail")): row["label"] for row in rows}
    assert found == {
        ("Ada", "Ben"): "teacher_of",
        ("Ben", "Chen"): "teacher_of",
        ("Ben", "Ada"): "no_relation",
        ("Chen", "Ben"): "no_relation",
        ("Ada", "Chen"): "no_relation",
    }
