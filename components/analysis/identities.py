"""Rows rewritten for people of another group: names, countries, provinces, women and men (counterfactual swaps).

The lists stand in identities_LANGUAGE.json, the user's own in params.yaml. Of a row that mentions a name, the first one
is replaced wherever it stands, by names of the same gender of every group, its own among them; places likewise, and
words of one's own. Of women and men every word is exchanged, `her` by `his` before a word and by `him` elsewhere, which
is right more often than not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
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
Own = Mapping[str, Mapping[str, Sequence[str]]]
"""Category -> group -> its words."""


@dataclass(frozen=True)
class Variant:
    """A row with a word of a group in it; `number`: which of the group's words."""

    row: int
    group: str
    number: int
    word: str
    text: Text


@dataclass(frozen=True, eq=False)
class Swaps:
    """The groups of a category, and the rows that are rewritten for them. by_word: whether every word is exchanged for
    that of the other group at its place in the lists, of women and men."""

    name: str
    language: str
    groups: Groups
    by_word: bool = False

    def mentions(self, text: Text) -> bool:
        """Whether the row has a word of the category."""
        if self.by_word:
            return bool(self._of_both(0, text))
        return any(self._pattern.search(part) for part in parts(text))

    def variants(self, row: int, text: Text) -> list[Variant]:
        """The row for every word of every group; none where it mentions nothing of the category."""
        if self.by_word:
            return self._of_both(row, text)
        mentioned = next((found[0] for part in parts(text) if (found := self._pattern.search(part))), None)
        if mentioned is None:
            return []
        mentioned = self._listed(mentioned)
        return [
            Variant(row, group, number, word, _each(text, partial(self._renamed, mentioned, word)))
            for group, lists in self.groups.items()
            for number, word in enumerate(lists[self._kinds[mentioned]])
        ]

    def _renamed(self, mentioned: str, word: str, part: str) -> str:
        def other(found: re.Match[str]) -> str:
            if self._listed(found[0]) != mentioned:
                return found[0]
            return word if found[0] == mentioned else _cased(found[0], word)

        # By the pattern of all words: 印度 is not the beginning of 印度尼西亚, nor 江西 the middle of 浙江西部.
        return self._pattern.sub(other, part)

    def _listed(self, word: str) -> str:
        """A word as its list has it: in front of a sentence a small letter is a capital."""
        return word if word in self._kinds else f"{word[:1].lower()}{word[1:]}"

    @cached_property
    def _kinds(self) -> Mapping[str, int]:
        """Word -> the number of its list."""
        return {word: kind for lists in self.groups.values() for kind, words in enumerate(lists) for word in words}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        capitals = {f"{word[:1].upper()}{word[1:]}" for word in self._kinds}
        return _pattern(tuple({**self._kinds, **dict.fromkeys(sorted(capitals))}), self.language)

    def _of_both(self, row: int, text: Text) -> list[Variant]:
        return _of_both(self.groups, self.language, row, text)


def identities(language: str, own: Own | None = None) -> dict[str, Swaps]:
    """Category -> its groups: those that are shipped, then those of `own`, which take the place of others of their name
    or, without groups, leave them out."""
    found = {name: Swaps(name, language, groups, name == GENDER) for name, groups in _shipped(language).items()}
    for name, groups in (own or {}).items():
        found[name] = Swaps(name, language, {group: [words] for group, words in groups.items()})
    return {name: swaps for name, swaps in found.items() if swaps.groups}


@cache
def _shipped(language: str) -> Mapping[str, Groups]:
    text = Path(__file__).with_name(f"identities_{language}.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return {
        category: {group: [words] if category == GENDER else words for group, words in groups.items()}
        for category, groups in found.items()
    }


def _of_both(groups: Groups, language: str, row: int, text: Text) -> list[Variant]:
    """The row about women and about men."""
    ((women,), (men,)) = (groups[group] for group in ("women", "men"))
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
