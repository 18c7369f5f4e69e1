"""One spelling for one text: Unicode NFC, plain line ends, no control characters, no outer white space.

Source code keeps its own: there every character may matter.
"""

from __future__ import annotations

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# Lone surrogates (a JSON escape can make them) have no UTF-8; U+FEFF is a byte order mark gone astray.
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
# The most that source code can lose: what no UTF-8 file may hold, and no compiler takes.
_NO_CODE = re.compile("\x00|[\ud800-\udfff]|^\ufeff")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


def normalise(text: str) -> str:
    """The text in NFC (Unicode Standard Annex 15), without control characters but newline and tab."""
    return plain(text).strip()


def plain(text: str) -> str:
    """As `normalise`, with the white space around the text."""
    return unicodedata.normalize("NFC", UNWANTED.sub("", LINE_ENDS.sub("\n", text)))


def normalise_code(text: str) -> str:
    """Source code with plain line ends and without blank lines around it; a form feed or a combining accent stays."""
    return _BLANK_LINES.sub("", plain_code(text)).rstrip()


def plain_code(text: str) -> str:
    """As `normalise_code`, with the white space around it."""
    return _NO_CODE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
