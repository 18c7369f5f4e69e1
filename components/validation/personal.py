"""Personal data that is left in a text: e-mail addresses, payment cards, numbers of persons.

The patterns here are independent of those that removed personal data: a check must not share the code that it checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from components.corpus.check_digits import luhn, mod_11_2

SUSPICIOUS = r"[@＠]|[0-9０-９](?:[ -]?[0-9０-９]){8}"
"""Part of every match, for RE2: a text without it, as nearly all are, is not searched further."""

FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# Not `git@github.com:user/repo`, `user@host:path` or `x@w.dot(y)`, nor who logs in within an address of the web.
EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])(?!(?:git|hg|svn)@)[A-Za-z0-9._%+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})"
    r"(?![A-Za-z0-9]|\.[A-Za-z0-9]|:[A-Za-z0-9_~/.]|\()"
)
WEB = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@]*$", re.IGNORECASE)
NO_DOMAIN = re.compile(  # versions of packages, pictures for fine screens, units of systemd, names in a local net
    r"^(?:v?\d+\.){2}|^\d+x\.|\.(?:service|socket|timer|local|internal|lan|png|jpe?g|gif|svg|tgz|gz|zip|json|csv|html?|js|txt)$",
    re.IGNORECASE,
)
RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE
)  # RFC 2606
DIGITS = re.compile(
    r"(?<![0-9A-Za-z.-])(?:[0-9]{4}(?:[ -][0-9]{4}){3}|[0-9](?:[ -]?[0-9]){12,18})(?![0-9A-Za-z-]|[.,][0-9])"
)
# Ranges that the networks give out: Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay.
CARD = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|5\d\d)\d{12}|62\d{14,17}"
)
RESIDENT = re.compile(r"(?<![0-9])[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9])")
SOCIAL_SECURITY = re.compile(r"(?<![0-9-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![0-9-])")


def personal_data(texts: pa.Array, code: pa.Array) -> list[str | None]:
    """The kind of personal data in each text, the first of `KINDS`; None without any.

    code: bool for each text: whether it is source code, where numbers are constants and test data.
    """
    suspicious = pc.fill_null(pc.match_substring_regex(texts, SUSPICIOUS), False)
    found: list[str | None] = [None] * len(texts)
    for number in pc.indices_nonzero(suspicious).to_pylist():
        found[number] = kind_of(texts[number].as_py(), IN_CODE if code[number].as_py() else tuple(KINDS))
    return found


def kind_of(text: str, kinds: Sequence[str] | None = None) -> str | None:
    """The first kind of personal data, of these or of all, in a text, full-width characters included."""
    plain = text if text.isascii() else text.translate(FULL_WIDTH)
    return next((kind for kind in (KINDS if kinds is None else kinds) if KINDS[kind](plain)), None)


def _email(text: str) -> bool:
    return any(
        not (RESERVED.search(found[1]) or NO_DOMAIN.search(found[1]) or WEB.search(text[: found.start()][-80:]))
        for found in EMAIL.finditer(text)
    )


def _card(text: str) -> bool:
    numbers = (re.sub("[ -]", "", found[0]) for found in DIGITS.finditer(text))
    return any(CARD.fullmatch(number) and luhn(number) for number in numbers)


def _resident(text: str) -> bool:
    """The Chinese resident number with its check character, GB 11643-1999."""
    return any(mod_11_2(found[0]) for found in RESIDENT.finditer(text))


def _social_security(text: str) -> bool:
    return SOCIAL_SECURITY.search(text) is not None


KINDS: dict[str, Callable[[str], bool]] = {
    "email": _email,
    "card": _card,
    "resident number": _resident,
    "social security number": _social_security,
}
IN_CODE = ("email", "resident number")
