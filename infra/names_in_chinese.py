"""Rows of the example `ner_zh`: titles of classical poems, in which poets are people and some words are places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sample_data import Row, mixed

TITLE_ROWS, MOST_CHARACTERS = 2400, 24
PERSONS = 0.4
SURNAMES = (
    "李王張劉陳楊趙黃周吳徐孫胡朱高林何郭馬羅梁宋鄭謝韓唐馮于董蕭程曹袁鄧許傅沈曾彭呂蘇盧蔣蔡賈丁魏薛葉閻"
    "余潘杜戴夏鍾汪田任姜范方石姚譚廖鄒熊金陸郝孔白崔康毛邱秦江史顧侯邵孟龍萬段錢湯尹黎易常武喬賀賴龔文孔元岑"
    "嚴權皮韋裴令竇柳溫"
)
"""First characters of the poets that are marked: monks, whose names are words, are not."""
NOT_NAMES = re.compile(r"[氏媛]|夫人|妻|公主|宮人|王$|帝$")
PLACES = (Path(__file__).parent / "places_in_chinese.txt").read_text(encoding="utf-8").split()


def titled(poems: Iterable[Row]) -> Iterator[Row]:
    """Titles with a name in them, a character a token; four in ten have a person, if there are so many."""
    poems = [row for row in poems if row["form"] in ("tang", "song")]
    poets = {row["author"] for row in poems if 2 <= len(row["author"]) <= 4}
    known = dict.fromkeys(PLACES, "LOC") | dict.fromkeys(filter(is_a_name, poets), "PER")
    marked = [row for row in (marks(poem["title"], known) for poem in poems) if row is not None]
    titles = mixed({row["text"]: row for row in marked}.values())
    people = [row for row in titles if "B-PER" in row["tags"]][: round(PERSONS * TITLE_ROWS)]
    places = [row for row in titles if "B-PER" not in row["tags"]][: TITLE_ROWS - len(people)]
    yield from people
    yield from places


def is_a_name(poet: str) -> bool:
    return poet[0] in SURNAMES and not NOT_NAMES.search(poet)


def marks(title: str, known: Mapping[str, str]) -> Row | None:
    """The longest name that begins at each character, from the left; None of a title that has none, or is long."""
    title = re.split(r"[（(〈\s]|其[一二三四五六七八九十]", title)[0]
    tokens, tags, place = list(title), ["O"] * len(title), 0
    while place < len(title):
        name = next((one for n in (4, 3, 2) if (one := title[place : place + n]) in known), "")
        for at in range(len(name)):
            tags[place + at] = f"{'I' if at else 'B'}-{known[name]}"
        place += max(len(name), 1)
    if not 4 <= len(title) <= MOST_CHARACTERS or not {*tags} - {"O"} or not title.isalpha():
        return None
    return {"text": title, "tokens": tokens, "tags": tags}
