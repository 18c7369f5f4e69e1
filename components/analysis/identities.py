"""Rows rewritten for people of another group: names, countries, provinces, women and men (counterfactual swaps).

The lists stand in identities_LANGUAGE.json. Of a row that mentions a name, the first one is replaced wherever it
stands, by names of the same gender of every group, its own among them; places likewise. Of women and men every word is
exchanged, `her` by `his` before a word and by `him` elsewhere, which is right more often than not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from components.tasks.task import Text, parts

GENDER = "gender"
_HER = re.compile(r"\bher\b(?=\s+(?!(?:and|or|but|in|on|at|to|for|with|from|by|as|when|who|that|was|is)\b)[a-z])", re.I)
_HIM = re.compile(r"\bher\b", re.IGNORECASE)
_TO_HER = re.compile(r"\b(?:him|his)\b", re.IGNORECASE)

_ENDS_OTHERS = {
    "他": "其吉维維",  # 其他 (the others), 吉他 (a guitar) and 维他 (vita-) are about nobody
    "江西": "长長珠沿",  # the west of a river
    "河南": "黄淮",
    "河北": "黄淮",
    "海南": "南东東黄渤",
}
"""Word -> what stands before it where it is the end of another."""
_BEGINS_OTHERS = {
    "他": "乡鄉日人山国國处處杀殺律",  # 他乡 (a strange place), 他日 (some day)
    **dict.fromkeys("东西南北", "岸侧側麓坡"),  # 江西岸 (the west bank of a river)
    "度": "洋",  # 印度洋 (the Indian Ocean)
    "伟": "大",  # the end of a given name and what follows: 王伟大 (Wang the great)
    "强": "大烈调化制硬",
    "勇": "敢猛",
    "杰": "出",
    "军": "队",
    "敏": "感锐捷",
    "洁": "白净",
}
"""The last character of a word -> what stands after it where it begins another word."""

Groups = Mapping[str, Sequence[Sequence[str]]]
"""Group -> its words, in lists that correspond to those of the other groups."""


@dataclass(frozen=True)
class Variant:
    """A row with a word of a group in it; `number`: which of the group's words."""

    row: int
    group: str
    number: int
    word: str
    text: Text


@cache
def identities(language: str) -> Mapping[str, Groups]:
    """Category -> its groups."""
    text = Path(__file__).with_name(f"identities_{language}.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return {
        category: {group: [words] if category == GENDER else words for group, words in groups.items()}
        for category, groups in found.items()
    }


def mentions(category: str, language: str, text: Text) -> bool:
    """Whether the row has a word of the category."""
    if category == GENDER:
        return bool(_of_both(language, 0, text))
    return any(_words_pattern(category, language).search(part) for part in parts(text))


def variants(category: str, language: str, row: int, text: Text) -> list[Variant]:
    """The row for every word of every group; none where it mentions nothing of the category."""
    if category == GENDER:
        return _of_both(language, row, text)
    groups = identities(language)[category]
    kinds = {word: kind for lists in groups.values() for kind, words in enumerate(lists) for word in words}
    pattern = _words_pattern(category, language)
    mentioned = next((found[0] for part in parts(text) if (found := pattern.search(part))), None)
    if mentioned is None:
        return []

    def renamed(part: str, word: str) -> str:
        # By the pattern of all words: 印度 is not the beginning of 印度尼西亚, nor 江西 the middle of 浙江西部.
        return pattern.sub(lambda found: word if found[0] == mentioned else found[0], part)

    return [
        Variant(row, group, number, word, _each(text, partial(renamed, word=word)))
        for group, lists in groups.items()
        for number, word in enumerate(lists[kinds[mentioned]])
    ]


def _of_both(language: str, row: int, text: Text) -> list[Variant]:
    """The row about women and about men."""
    ((women,), (men,)) = (identities(language)[GENDER][group] for group in ("women", "men"))
    found = [
        Variant(row, "women", 0, "women", _each(text, lambda part: _about_women(part, men, women, language))),
        Variant(row, "men", 0, "men", _each(text, lambda part: _about_men(part, women, men, language))),
    ]
    return found if found[0].text != found[1].text else []


def _about_women(text: str, men: Sequence[str], women: Sequence[str], language: str) -> str:
    if language == "en":
        text = _TO_HER.sub(lambda found: _cased(found[0], "her"), text)
    return _exchanged(text, men, women, language)


def _about_men(text: str, women: Sequence[str], men: Sequence[str], language: str) -> str:
    if language == "en":
        text = _HER.sub(lambda found: _cased(found[0], "his"), text)
        text = _HIM.sub(lambda found: _cased(found[0], "him"), text)
    return _exchanged(text, women, men, language)


def _exchanged(text: str, before: Sequence[str], after: Sequence[str], language: str) -> str:
    table = dict(zip(map(str.lower, before), after, strict=True))
    pattern = _pattern(tuple(before), language, re.IGNORECASE)
    return pattern.sub(lambda found: _cased(found[0], table[found[0].lower()]), text)


def _each(text: Text, change: Callable[[str], str]) -> Text:
    return change(text) if isinstance(text, str) else tuple(map(change, text))


def _cased(before: str, after: str) -> str:
    """With a capital where the word before had one."""
    return after[:1].upper() + after[1:] if before[:1].isupper() else after


@cache
def _words_pattern(category: str, language: str) -> re.Pattern[str]:
    lists = identities(language)[category].values()
    return _pattern(tuple(word for each in lists for words in each for word in words), language)


@cache
def _pattern(words: tuple[str, ...], language: str, flags: int = 0) -> re.Pattern[str]:
    """Longer words first: one may begin with another. Chinese has no boundaries of words."""
    ordered = sorted(words, key=len, reverse=True)
    if language == "zh":
        return re.compile("|".join(map(_apart, ordered)), flags)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, ordered))})\b", flags)


def _apart(word: str) -> str:
    """A Chinese word where it is no part of another."""
    before = _ENDS_OTHERS.get(word, _ENDS_OTHERS["他"] if word[0] == "他" else "")
    after = _BEGINS_OTHERS.get(word[-1], "")
    return f"{f'(?<![{before}])' if before else ''}{re.escape(word)}{f'(?![{after}])' if after else ''}"
