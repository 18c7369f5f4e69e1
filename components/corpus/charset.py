"""Guess the encoding of a text that is not UTF-8, for the message that refuses it.

The guess is shown and never used: a wrong one would damage a corpus without a sign, and another version of the guesser
would give other results.
"""

from __future__ import annotations

import re

_CANDIDATES = {
    "gb18030": "GB18030",
    "big5": "BIG5",
    "cp932": "CP932",
    "euc_jp": "EUC-JP",
    "cp949": "CP949",
    "cp1252": "CP1252",
    "cp1250": "CP1250",
    "cp1251": "CP1251",
    "koi8_r": "KOI8-R",
    "cp1253": "CP1253",
}
"""Python's name of an encoding -> iconv's. Few are listed: most others differ from one of these in a few letters."""
_EAST_ASIAN = ("big5", "cp932", "euc_jp", "cp949")
_FEW = 200
"""Below so many bytes outside ASCII, the encodings of East Asia cannot be distinguished; the most likely of these is
named.
"""
_WESTERN = re.compile("[\x00-\x7f\xa0\xa9\xab\xae\xb0\xb4\xb7\xbb\xbf-\xd6\xd8-\xf6\xf8-\xff€‚„…ˆ‰‹Œ‘’“”•–—™›œŸ]*")
"""The letters of western Europe. Polish and Czech read as Windows-1252 contain other characters, such as ¹ or ³."""
_MOSTLY = 4
"""So many valid characters outside ASCII for each invalid byte mark a text as damaged UTF-8. GBK has one in five."""
_CONVERT = "`iconv -f {} -t UTF-8 OLD > NEW` converts it"


def conversion(sample: bytes) -> str:
    """Advice for a file that is not UTF-8. `sample`: some of its bytes, from the start of a line."""
    if _is_mostly_utf8(sample):
        return "the rest is UTF-8: `iconv -c -f UTF-8 -t UTF-8 OLD > NEW` leaves out the broken bytes"
    found = guessed(sample)
    if found is None:
        return f"save it as UTF-8; {_CONVERT.format('GB18030')} if it is Chinese"
    return f"it looks like {found}: {_CONVERT.format(found)}"


def guessed(sample: bytes) -> str | None:
    """The likely encoding, by iconv's name (charset-normalizer); None where no encoding fits."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=list(_CANDIDATES)).best()
    if best is None or best.encoding not in _CANDIDATES:
        return None
    if best.encoding in _EAST_ASIAN and sum(byte > 0x7F for byte in sample) < _FEW and _is_simplified(sample):
        return "GB18030"
    if best.encoding == "cp1250" and _is_western(sample):
        return "CP1252"  # the guesser has no preference where both give letters
    return _CANDIDATES[best.encoding]


def _is_western(sample: bytes) -> bool:
    return _WESTERN.fullmatch(sample.decode("cp1252", "ignore")) is not None


def _is_simplified(sample: bytes) -> bool:
    try:
        sample.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(char > "\x7f" for char in text) - broken
    return whole >= _MOSTLY * broken
