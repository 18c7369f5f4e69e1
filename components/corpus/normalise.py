"""One spelling for one text: Unicode NFC, plain line ends, no control characters, no outer white space."""

from __future__ import annotations

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# Lone surrogates (a JSON escape can make them) have no UTF-8; U+FEFF is a byte order mark gone astray.
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")


def normalise(text: str) -> str:
    """The text in NFC (Unicode Standard Annex 15), without control characters but newline and tab."""
    return unicodedata.normalize("NFC", UNWANTED.sub("", LINE_ENDS.sub("\n", text))).strip()
