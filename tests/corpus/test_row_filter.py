"""One text goes in, and what became of it comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.encoding import compared_form
from components.corpus.row_filter import CHANGES, REASONS, FilteredRow, RowFilter
from components.errors import ParameterError
from components.params import load_params

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").curate
FILTER = RowFilter(CONFIG, {"leads": "en", "poems": "zh-Hant"})
PROSE = "The captain of the vessel walked along the harbour in the morning and looked at the ships."
CODE = '    MARK = "&amp;\u200b"  # +1 212 555 0187\n    RATE = +1.00000001\n    IP = "93.184.216.34"\n'
POEM = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"


def test_sound_text_is_kept_as_it_is() -> None:
    assert FILTER.apply(PROSE, "", "leads") == FilteredRow(PROSE, "en", (), None, PROSE)
    assert FILTER.apply(POEM, "", "poems") == FilteredRow(POEM, "zh", (), None, POEM)


def test_every_change_is_named() -> None:
    text = f"It\u200b is my cafÃ©\x07: {PROSE}\ufffd Write to jane@example.org."
    found = FILTER.apply(text, "", "leads")
    assert found.text == f"It is my café: {PROSE} Write to <EMAIL>."
    assert found.changes == (
        "encoding_repaired",
        "invisible_removed",
        "replacements_removed",
        "email_scrubbed",
    )
    assert set(found.changes) <= set(CHANGES)


@pytest.mark.parametrize(
    ("text", "claimed", "source", "reason"),
    [
        ("", "", "leads", "empty"),
        (" \u3000\ufeff\n", "", "leads", "empty"),
        ("Too short.", "", "leads", "too_short"),
        ("1234567890 " * 5, "", "leads", "few_letters"),
        (f"{PROSE[:40]}\ufffd\ufffd{PROSE[40:]}", "", "leads", "broken_encoding"),
        (PROSE, "", "poems", "wrong_language"),
        (POEM, "en", "poems", "wrong_language"),
        ("Der alte Fischer ging jeden Morgen zum Hafen und erzählte von den Stürmen.", "", "leads", "wrong_language"),
        ("Der alte Fischer ging jeden Morgen zum Hafen und erzählte von den Stürmen.", "de", "leads", "wrong_language"),
        ("年老いた漁師は毎朝港へ行き、子どもたちに話して聞かせました。", "", "poems", "wrong_language"),
        (f"{PROSE} Lorem ipsum dolor.", "", "leads", "lorem_ipsum"),
    ],
)
def test_bad_text_is_turned_away(text: str, claimed: str, source: str, reason: str) -> None:
    assert FILTER.apply(text, claimed, source).reason == reason
    assert reason in REASONS


def test_what_a_row_claims_goes_before_its_source_and_that_before_the_sources_name() -> None:
    assert FILTER.apply(POEM, "zh_TW", "leads").reason is None
    assert FILTER.apply(POEM, "", "unknown_en").reason == "wrong_language"
    assert FILTER.apply(POEM, "", "unknown").language == "zh"


MIXED = RowFilter(CONFIG, {"both": ["en", "zh"], "any": "mixed", "repository": ["python", "en"]})


@pytest.mark.parametrize("source", ["both", "any"])
def test_in_a_mixed_source_each_text_is_held_to_the_rules_of_its_own_language(source: str) -> None:
    assert [MIXED.apply(text, "", source).language for text in (PROSE, POEM)] == ["en", "zh"]
    assert [MIXED.apply(text, "", source).reason for text in (PROSE, POEM)] == [None, None]
    german = "Der alte Fischer ging jeden Morgen zum Hafen und erzählte von den Stürmen."
    assert MIXED.apply(german, "", source).reason == "wrong_language"
    assert MIXED.apply("的" * 20, "en", source).reason == "wrong_language"


def test_of_code_and_prose_in_one_source_each_is_judged_as_what_it_is() -> None:
    assert [MIXED.apply(text, "", "repository").language for text in (CODE, PROSE)] == ["python", "en"]


@pytest.mark.parametrize("claimed", ["zho", "cmn_Hani", "Chinese", "zh-Hant-TW", "yue", "en,zh"])
def test_a_row_may_name_its_language_in_any_way(claimed: str) -> None:
    assert FILTER.apply(POEM, claimed, "leads").reason is None


def test_a_row_of_no_language_in_particular_is_in_its_sources() -> None:
    assert FILTER.apply(POEM, "und", "leads").reason == "wrong_language"
    assert FILTER.apply(PROSE, "und", "leads").reason is None


def test_listed_words_turn_a_text_away(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("captain\nvessel\n", encoding="utf-8")
    config = CONFIG.model_copy(update={"word_lists": [str(tmp_path / "list.txt")], "max_listed_words": 1})
    assert RowFilter(config, {}).apply(PROSE, "en", "leads").reason == "word_list"
    assert RowFilter(CONFIG, {}).apply(PROSE, "en", "leads").reason is None


def test_source_in_a_language_without_rules_is_named() -> None:
    with pytest.raises(
        ParameterError, match=r"corpus\.notes: no quality rules for the language 'fr'\ncurate\.languages"
    ):
        RowFilter(CONFIG, {"notes": "fr"})


def test_source_code_is_not_held_to_the_rules_of_prose() -> None:
    code = "def f(x):\n    return [y ** 2 for y in x]\n" + "}\n" * 20
    filtered = RowFilter(CONFIG, {}).apply(code, "python", "scripts")
    assert (filtered.reason, filtered.language) == (None, "python")
    assert RowFilter(CONFIG, {"scripts": "python"}).apply("x = 1", "", "scripts").reason == "too_short"


def test_source_code_is_neither_repaired_nor_scrubbed_as_prose() -> None:
    found = RowFilter(CONFIG, {"scripts": "python"}).apply(CODE, "", "scripts")
    assert (found.text, found.changes, found.reason) == (CODE.rstrip(), (), None)
    mail = RowFilter(CONFIG, {}).apply(f"{CODE}# jane@lianzi.org\n", "rust", "scripts")
    assert (mail.text, mail.changes) == (f"{CODE}# <EMAIL>", ("email_scrubbed",))


def test_code_that_nothing_marks_is_spared_as_well_and_so_is_code_in_markdown() -> None:
    assert FILTER.apply(CODE, "", "leads").text == CODE.rstrip()
    text = f"{PROSE}\n\n```python\n{CODE}```\n\nFish &amp; `&lt;`, {PROSE} Call +1 212 555 0187."
    found = FILTER.apply(text, "", "leads")
    assert found.text == text.replace("Fish &amp;", "Fish &").replace("Call +1 212 555 0187", "Call <PHONE>")
    assert found.changes == ("encoding_repaired", "phone_scrubbed")


def test_a_copy_is_known_whatever_was_spared_in_it_as_code() -> None:
    form = compared_form(CODE)
    assert RowFilter(CONFIG, {}).apply(CODE, "python", "scripts").form == form
    assert FILTER.apply(CODE, "", "leads").form == form
    assert compared_form(FILTER.apply(CODE, "", "leads").text) == form
