"""Each quality rule turns away its example, in each language that has it, and leaves prose and verse alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters.gopher_repetition_filter import find_all_duplicate, find_top_duplicate, get_n_grams

from components.corpus.quality import (
    REASONS,
    Rules,
    may_repeat_n_grams,
    passes_fineweb,
    passes_gopher,
    repeats_nothing,
)
from components.params import load_params

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate
RULES = {name: Rules(rules, CONFIG.max_repeated_line_share, 0.3) for name, rules in CONFIG.languages.items()}
PROSE = "The captain of the vessel walked along the harbour in the morning and looked at the ships that had come in."
VERSE = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"
MODERN = "今天天气很好，我们一起去公园散步，看到许多人在湖边钓鱼。"
EXAMPLES = [
    ("en", "long_run", f"{PROSE} {'x' * 1200}"),
    ("zh", "long_run", MODERN + "A1" * 600),
    ("en", "lorem_ipsum", f"{PROSE} Lorem ipsum dolor sit amet."),
    ("en", "boilerplate", f"{PROSE}\nThis site uses cookies.\nPrivacy Policy | Terms of Use"),
    ("zh", "boilerplate", f"{MODERN}\n隐私政策\n使用条款 | 隐私政策"),
    ("en", "repeated_lines", f"{PROSE}\n" * 4),
    ("zh", "repeated_lines", f"{MODERN}\n" * 4),
    ("en", "repeated_n_grams", f"{PROSE} " * 30),
    ("zh", "repeated_n_grams", MODERN * 12),
    ("en", "few_words", "Somewhere; everywhere"),
    ("zh", "few_words", "春眠不覺曉，處處聞。"),
    ("en", "odd_word_lengths", "a b c d e f g h i j k l m n o p q r s t of a b c"),
    ("en", "symbols", f"{PROSE} {'# ' * 12}"),
    ("zh", "symbols", MODERN + "…" * 20),
    ("en", "bullets", "\n".join(f"- the thing number {count} of the list." for count in range(20))),
    ("en", "few_alphabetic_words", "the of 12345 67890 12.50 99.90 1234 56789 total 12 34 56789"),
    ("zh", "few_alphabetic_words", "价格1234567890。12345678。春天来"),
    ("en", "few_stop_words", "Buy cheap watches online now! Best quality watches, lowest prices guaranteed!"),
    ("en", "unpunctuated_lines", "\n".join(["the home of the page", "about the people here"] * 9 + ["It is the end."])),
    ("en", "short_lines", "\n".join(f"The {word} of it." for word in PROSE.split())),
    ("en", "list", "\n".join(f"The {word}{place}." for place, word in enumerate(PROSE.split()))),
]


@pytest.mark.parametrize(("language", "reason", "text"), EXAMPLES)
def test_rule_turns_away_its_example(language: str, reason: str, text: str) -> None:
    rules = CONFIG.languages[language]
    if reason == "short_lines":  # off by default: verse has them
        rules = rules.model_copy(update={"max_short_line_share": 0.9})
    if reason == "unpunctuated_lines":
        text = "\n".join(f"{line} and the rest {place}" for place, line in enumerate(text.split("\n")[:-1])) + "\nEnd."
    assert Rules(rules, CONFIG.max_repeated_line_share, 0.3).reason(text) == reason


def test_every_rule_but_those_off_by_default_has_an_example() -> None:
    assert {reason for _, reason, _ in EXAMPLES} == {*REASONS, "repeated_lines"} - {"ellipsis_lines"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", PROSE),
        ("en", PROSE.upper()),
        ("en", "Nitrogen is a chemical element; it has symbol N and atomic number 7."),
        (
            "en",
            "O my Luve is like a red, red rose\nThat’s newly sprung in June;\nO my Luve is like the melody.",
        ),
        ("zh", VERSE),
        ("zh", MODERN),
        ("zh", "行行重行行，與君生別離。"),
        (
            "en",
            f"{PROSE}\nThe page on JavaScript and on {{brackets}} has a privacy policy.\n{PROSE[4:]}\n{PROSE[9:]}",
        ),
    ],
)
def test_ordinary_text_is_kept(language: str, text: str) -> None:
    assert RULES[language].reason(text) is None


def test_rule_that_is_off_by_default_works_when_asked_for() -> None:
    rules = CONFIG.languages["en"].model_copy(update={"max_ellipsis_line_share": 0.3})
    text = f"{PROSE}\nThe story of the town and…\nThe people that were…"
    assert Rules(rules, 0.3, 0.3).reason(text) == "ellipsis_lines"


def test_what_passes_for_certain_passes_the_block() -> None:
    chance = random.Random(7)
    signs = ["-", "•", "#", "…", "...", "12", "a", "★", "不", "1.5", "—", "İstanbul", "\n", "\n\n"]
    pieces = [*PROSE.split(), *signs, "well-known", "end."]
    for name, rules in RULES.items():
        for _ in range(300):
            text = " ".join(chance.choices(pieces, k=chance.randrange(1, 40))).strip() or "x"
            words = rules._units.word_tokenize(text)
            config = CONFIG.languages[name]
            judged = Document(text=text, id="")
            if passes_gopher(config, text, words):
                assert rules._quality.filter(judged) is True, text
            if passes_fineweb(config, text, len(words)):
                assert rules._lines.filter(judged) is True, text
            if repeats_nothing(text):
                assert rules._repeated_lines.filter(judged) is True, text


def test_text_that_may_not_repeat_n_grams_does_not() -> None:
    chance = random.Random(8)
    certain = 0
    for _ in range(300):
        words = chance.choices(["a", "ab", "b", "ba", *PROSE.split()], k=chance.randrange(1, 60))
        words += words[: chance.randrange(20)]
        text = " ".join(words)
        for n in range(2, 8):
            top = find_top_duplicate(get_n_grams(words, n)) / len(text) if len(words) >= n else 0.0
            for share in (0.05, 0.2, top):
                if not may_repeat_n_grams(words, len(text), {n: share}, {}):
                    assert top <= share
                    certain += 1
                if not may_repeat_n_grams(words, len(text), {}, {n: share}):
                    assert find_all_duplicate(words, n) / len(text) <= share
                    certain += 1
    assert certain > 3000
