"""Held-out rows are found in documents, whole, in part, with words changed; formulas they share are not."""

from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest

from components.corpus.decontamination import HeldOut
from components.params import load_params

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate
CHANCE = random.Random(3)
EN = " ".join(f"word{CHANCE.randrange(5000)}" for _ in range(60))
ZH = "遊吳還適越來往任風波復送王孫去其如春草何岸明殘雪在潮滿夕陽多季子留遺廟停舟試一過"
FORMULA = "is the capital and most populous city of the U.S. state of"
CITY = f"Denver {FORMULA} Colorado. It stands in the valley of the South Platte, {EN[:200]}"
HELD_OUT = HeldOut(
    [("test", EN), ("validation", ZH), ("test", CITY), ("validation", "a short held-out row of six")], CONFIG
)


def reason(held_out: HeldOut, text: str, language: str) -> str | None:
    """Why a document is turned away that is like no other."""
    match = held_out.match(text, language)
    return match.reason or held_out.reason(match.passages)


def test_held_out_text_is_found_whole_and_within_a_document() -> None:
    assert reason(HELD_OUT, EN.upper(), "en") == "in_task_test"
    assert reason(HELD_OUT, f"Something before it. {EN} And after.", "en") == "in_task_test"
    assert reason(HELD_OUT, f"詩云：{ZH}。", "zh") == "in_task_validation"


def test_half_of_a_held_out_text_is_found_and_so_is_one_with_words_changed() -> None:
    words = EN.split()
    assert reason(HELD_OUT, " ".join(words[:35]), "en") == "in_task_test"
    words[20], words[50] = "changed", "words"
    assert reason(HELD_OUT, " ".join(words), "en") == "in_task_test"
    assert reason(HELD_OUT, ZH.replace("王孫", "公孫"), "zh") == "in_task_validation"


def test_formula_alone_takes_nothing_out() -> None:
    assert reason(HELD_OUT, f"Boston {FORMULA} Massachusetts. It is a port and has many old houses.", "en") is None
    assert reason(HELD_OUT, f"Boston {FORMULA} Massachusetts.", "en") is None
    assert reason(HELD_OUT, "來往任風波，明日隔山河。", "zh") is None


def test_short_held_out_text_counts_as_a_whole() -> None:
    assert reason(HELD_OUT, "Here stands a short held-out row of six words.", "en") == "in_task_validation"
    assert reason(HELD_OUT, "Here stands a short held-out row.", "en") is None
    tiny = HeldOut([("test", "red")], CONFIG)
    assert reason(tiny, "Red!", "en") == "in_task_test"
    assert reason(tiny, "The red fox.", "en") is None


def test_test_split_goes_before_validation() -> None:
    both = HeldOut([("validation", EN), ("test", EN)], CONFIG)
    assert reason(both, EN, "en") == "in_task_test"


def test_nothing_held_out_takes_nothing_out() -> None:
    assert reason(HeldOut([], CONFIG), EN, "en") is None
    assert reason(HeldOut([("test", "")], CONFIG), "", "en") is None


def test_digest_tells_contents_apart_and_a_copy_judges_alike() -> None:
    copy = pickle.loads(pickle.dumps(HELD_OUT))  # noqa: S301
    assert copy.digest == HELD_OUT.digest != HeldOut([("test", EN)], CONFIG).digest
    assert reason(copy, EN, "en") == "in_task_test"
    assert HeldOut({EN: "test"}, CONFIG).digest == HeldOut([("test", EN)], CONFIG).digest


@pytest.mark.parametrize("language", ["en", "zh"])
def test_empty_document_holds_nothing(language: str) -> None:
    assert reason(HELD_OUT, "", language) is None


@pytest.mark.parametrize(
    ("row", "before", "after"),
    [
        ("at the end of the day", EN, EN),
        ("click here to read more about the terms and conditions of this site", EN, EN),
        ("祝您生活愉快", ZH * 2, ZH * 2),
    ],
)
def test_a_short_row_within_a_long_document_is_a_passage_and_enough_only_where_few_have_it(
    row: str, before: str, after: str
) -> None:
    held_out = HeldOut([("test", "another row " * 9), ("validation", row)], CONFIG)
    language = "zh" if row[0] > "\x7f" else "en"
    match = held_out.match(f"{before} {row} {after}", language)
    assert match.reason is None
    assert {held_out.reason([one]) for one in match.passages} == {"in_task_validation"}
    assert held_out.match(f"Yes: {row}!", language).reason == "in_task_validation"


def test_a_long_run_is_enough_whatever_stands_around_it() -> None:
    assert HELD_OUT.match(f"{'Other words stand here. ' * 200} {EN}", "en").reason == "in_task_test"
