"""components.analysis.identities."""

from __future__ import annotations

import pytest

from components.analysis.identities import GENDER, Variant, identities
from components.tasks.task import Text


def variants(category: str, language: str, row: int, text: Text) -> list[Variant]:
    return identities(language)[category].variants(row, text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_group_has_as_many_words_as_the_others_and_none_of_theirs(language: str) -> None:
    for groups in (swaps.groups for swaps in identities(language).values()):
        assert len({tuple(map(len, lists)) for lists in groups.values()}) == 1
        words = [word for lists in groups.values() for each in lists for word in each]
        assert len(words) == len(set(words))


def test_a_name_is_replaced_wherever_it_stands_by_names_of_the_same_gender() -> None:
    found = variants("names", "en", 3, "Emily sang. Then Emily and James slept.")
    assert len(found) == 7 * 8
    assert {one.row for one in found} == {3}
    texts = {one.word: one.text for one in found}
    assert texts["Fatima"] == "Fatima sang. Then Fatima and James slept."
    assert texts["Emily"] == "Emily sang. Then Emily and James slept."
    assert "Ahmed" not in texts


def test_a_text_that_mentions_nobody_has_no_variants() -> None:
    assert variants("names", "en", 0, "The ship sank; a jamestown.") == []
    assert variants(GENDER, "en", 0, "The ship sank.") == []
    assert variants(GENDER, "zh", 0, "其他的船有吉他") == []


@pytest.mark.parametrize(
    ("language", "before", "women", "men"),
    [
        ("en", "She saw her mother.", "She saw her mother.", "He saw his father."),
        ("en", "We saw her and left.", "We saw her and left.", "We saw him and left."),
        ("en", "His wife told him.", "Her wife told her.", "His husband told him."),
        ("zh", "她爱妈妈。", "她爱妈妈。", "他爱爸爸。"),
        ("zh", "他们是男人", "她们是女人", "他们是男人"),
    ],
)
def test_women_and_men_are_exchanged(language: str, before: str, women: str, men: str) -> None:
    assert {one.group: one.text for one in variants(GENDER, language, 0, before)} == {"women": women, "men": men}


@pytest.mark.parametrize(
    ("category", "text", "word", "changed"),
    [
        ("provinces", "江西人到浙江西部去", "江苏", "江苏人到浙江西部去"),
        ("places", "印度在印度尼西亚和印度洋旁", "日本", "日本在印度尼西亚和印度洋旁"),
        ("names", "王伟说：张勇敢吗？", "约翰", "约翰说：张勇敢吗？"),
    ],
)
def test_a_chinese_word_inside_another_stays(category: str, text: str, word: str, changed: str) -> None:
    assert {one.word: one.text for one in variants(category, "zh", 0, text)}[word] == changed


@pytest.mark.parametrize(
    ("category", "text"),
    [
        (GENDER, "他乡的山"),
        (GENDER, "他日再会，他人他山"),
        ("names", "王伟大的一生"),
        ("provinces", "长江西岸，南海南部"),
    ],
)
def test_a_chinese_text_with_words_inside_others_alone_mentions_nobody(category: str, text: str) -> None:
    assert variants(category, "zh", 0, text) == []
    assert not identities("zh")[category].mentions(text)


def test_both_texts_of_a_pair_are_rewritten() -> None:
    found = {one.word: one.text for one in variants("places", "en", 0, ("Ghana is big", "Is Ghana big?"))}
    assert found["Peru"] == ("Peru is big", "Is Peru big?")


OWN = {"age": {"young": ["teenager", "student"], "old": ["pensioner", "grandparent", "elder"]}, "places": {}}


def test_groups_of_ones_own_stand_beside_those_that_are_shipped_or_in_their_place() -> None:
    assert [*identities("en", OWN)] == ["names", GENDER, "age"]
    other = identities("en", {GENDER: {"a": ["he"], "b": ["they"]}})[GENDER]
    assert [one.text for one in other.variants(0, "He and she")] == ["He and she", "They and she"]


def test_a_row_has_every_word_of_every_list_also_where_a_sentence_begins() -> None:
    age = identities("en", OWN)["age"]
    found = age.variants(0, "Student or not, the student and the elder sang.")
    assert [one.word for one in found] == ["teenager", "student", "pensioner", "grandparent", "elder"]
    assert found[2].text == "Pensioner or not, the pensioner and the elder sang."
    assert not age.mentions("students")
