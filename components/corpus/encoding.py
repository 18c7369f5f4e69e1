"""Texts in a normal form: repaired decoding, no invisible characters, one spelling, and the form used for comparison.

ftfy (Speer 2019), through datatrove's FTFYFormatter, repairs mojibake of Western encodings where a cheap test detects a
trace of it. Mojibake of Chinese is repaired here: UTF-8 read as GBK, and GBK read as Latin-1, which ftfy does not
repair.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from components.corpus.language import HAN
from components.corpus.personal_data import KINDS, scrubbed

if TYPE_CHECKING:
    from datatrove.pipeline.formatters import FTFYFormatter

LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# Lone surrogates (a JSON escape can make them) have no UTF-8; U+FEFF is a byte order mark gone astray.
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
# The most that source code can lose: what no UTF-8 file may hold, and no compiler takes.
_NO_CODE = re.compile("\x00|[\ud800-\udfff]|^\ufeff")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
CHANGES = ("encoding_repaired", "controls_removed", "invisible_removed", "replacements_removed")
# What ftfy undoes: UTF-8 read in a code page of Windows or Mac, C1 controls, entities, terminal colours.
WESTERN = re.compile("[\x80-\u024f\u0370-\u04ff]")
C1 = re.compile("[\x80-\x9f]")
HIGH = re.compile("[\xa0-\xff]")
MARKED = re.compile("[\x1b\x80-\x9f]|&(?:[A-Za-z]{2,8}|#\\d{2,6}|#x[0-9A-Fa-f]{2,5});")
# Zero width, soft hyphens, marks and overrides of direction (UAX 9), interlinear marks, tags. The joiners U+200C and
# U+200D are letters' business in many scripts: they go only behind Latin or Han. The first alternative is what stays:
# the flag of a part of a country (UTS 51, ED-14a), a black flag with the part's code in tags, as England's is.
INVISIBLE = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
    "|[\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?:(?<=[\\x00-\u024f\u3000-\u9fff])|^)[\u200c\u200d]+"
)
UNSEEN = re.compile("[\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
"""Every text that INVISIBLE matches contains one of these."""
# U+FFFD stands for what could not be decoded; private characters and noncharacters mean nothing outside their font.
REPLACEMENT = re.compile("[\ufffd\ufffe\uffff\ue000-\uf8ff]")


def repaired(text: str) -> tuple[str, list[str]]:
    """The text as its author wrote it, and the CHANGES that were made. U+FFFD stays: see `without_replacements`."""
    changes = []
    if (right := _decoded_right(text)) != text:
        text = right
        changes.append("encoding_repaired")
    if _is_visible(text):
        return text, changes
    if not text.isascii() and UNSEEN.search(text) and (visible := INVISIBLE.sub(r"\1", text)) != text:
        text = visible
        changes.append("invisible_removed")
    if UNWANTED.search(text):
        text = UNWANTED.sub("", text)
        changes.append("controls_removed")
    return text, changes


def decoded_right(text: str) -> str:
    """The text with its decoding repaired and nothing else changed, for rows that must stay as they are."""
    if text.isascii():
        return text
    if not HAN.search(text) and not C1.search(text) and not _is_bad(text) and not _from_latin(text):
        return text
    return _decoded_right(text)


def _is_visible(text: str) -> bool:
    """Whether a text certainly has nothing that UNSEEN, UNWANTED or LINE_ENDS match: all these are not printable."""
    return text.replace("\n", "").isprintable()


def without_replacements(text: str) -> tuple[str, int]:
    """The text without U+FFFD and private characters, and the number of these."""
    return REPLACEMENT.subn("", text) if not text.isascii() else (text, 0)


def is_lost(text: str) -> bool:
    """Whether this is UTF-8 read as GBK that has lost bytes, so that no repair is possible."""
    if text.isascii() or not HAN.search(text):
        return False
    coded = text.encode("gb18030", "ignore")
    return sum(map(_is_wide, coded.decode("utf-8", "ignore"))) * 3 > len(coded) / 2


def _decoded_right(text: str) -> str:
    if text.isascii():
        return _formatter().format(text) if ("&" in text or "\x1b" in text) and MARKED.search(text) else text
    if HAN.search(text):
        return _from_gbk(text)
    if not WESTERN.search(text):
        return text
    if chinese := _from_latin(text):
        return chinese
    return _formatter().format(text) if MARKED.search(text) or _is_bad(text) else text


def _is_bad(text: str) -> bool:
    from ftfy.badness import is_bad

    return bool(is_bad(text))


def _from_gbk(text: str) -> str:
    """Repair UTF-8 that was read as GBK: its bytes are valid UTF-8, as four genuine characters in a row hardly ever
    are.
    """
    try:
        right = text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return text
    return right if len(HAN.findall(text)) >= 4 and any(map(_is_wide, right)) else text


def _from_latin(text: str) -> str | None:
    """Repair GBK that was read as Latin-1 or Windows-1252: its bytes decode to common Chinese characters only."""
    high = len(HIGH.findall(text))
    if high < 8 or high < sum(map(str.isalpha, text)) / 2:
        return None
    for coding in ("latin-1", "cp1252"):
        try:
            right = text.encode(coding).decode("gb2312")
        except UnicodeError:
            continue
        if len(HAN.findall(right)) > 0.3 * high:
            return right
    return None


def _is_wide(char: str) -> bool:
    return "\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"


@cache
def _formatter() -> FTFYFormatter:
    from datatrove.pipeline.formatters import FTFYFormatter

    return FTFYFormatter()


# Unicode NFC, plain line ends, no control characters, no outer white space. Source code keeps its own: there every
# character may matter.
def normalise(text: str) -> str:
    """The text in NFC (Unicode Standard Annex 15), without control characters but newline and tab."""
    return plain(text).strip()


def plain(text: str) -> str:
    """As `normalise`, but keeps the white space around the text."""
    if _is_visible(text):
        return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", UNWANTED.sub("", LINE_ENDS.sub("\n", text)))


def normalise_code(text: str) -> str:
    """Source code with `LF` line ends and without blank lines around it; form feeds and combining accents stay."""
    return _BLANK_LINES.sub("", plain_code(text)).rstrip()


def plain_code(text: str) -> str:
    """As `normalise_code`, but keeps the white space around it."""
    return _NO_CODE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


# One definition of the same text, for duplicates, removals and held-out rows: nothing tells two apart once both are
# decoded as they were meant, in one spelling and without personal data. So a copy that was repaired or scrubbed and
# one that was not are still the same text.
def compared_form(text: str) -> str:
    """The form of a text used for comparison, independent of params.yaml."""
    return scrubbed(without_replacements(normalise(repaired(text)[0]))[0].strip(), KINDS)[0]


def fingerprint(text: str) -> bytes:
    """16 bytes, equal for two texts only where the texts are equal."""
    return mark_of(compared_form(text))


def mark_of(form: str) -> bytes:
    """The fingerprint of a text, from its compared form."""
    return hashlib.sha256(form.encode()).digest()[:16]
