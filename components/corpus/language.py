"""What language a text is in: what its row says, else its file's name, else its script."""

from __future__ import annotations

import re

LANGUAGES = ("en", "zh")
# CJK unified ideographs with extension A, compatibility ideographs, and the extensions past the basic plane.
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def han_share(text: str) -> float:
    """Han characters among the letters; 0 for a text without letters."""
    letters = sum(map(str.isalpha, text))
    return len(HAN.findall(text)) / letters if letters else 0.0


def script_language(text: str) -> str:
    """`zh` where most letters are Han characters, else `en`."""
    return "zh" if han_share(text) > 0.5 else "en"


def language_of(text: str, claimed: str, source: str) -> str:
    """The language a row claims (`zh-Hant` counts as `zh`), else the `_en` or `_zh` its source's name ends in."""
    if claimed:
        return re.split("[-_]", claimed.strip().lower())[0]
    ending = source.rpartition("_")[2]
    return ending if ending in LANGUAGES else script_language(text)
