"""What tells of a person, replaced by a placeholder: <EMAIL>, <PHONE>, <IP>, <CARD>, <SSN>, <IBAN>, <ID>.

Numbers count only with their check digits right, or written as such numbers are. datatrove's PIIFormatter knows e-mail
and IP addresses alone, misses an address that follows a Han character and takes version numbers for addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from components.corpus.check_digits import luhn, mod_11_2, mod_97

TRACE = re.compile(r"@|\d.?\d.{0,2}\d", re.ASCII)
"""Nothing personal is looked for in a text without it."""
PREFIX = re.compile(r"(?:version|ver|v|release|section|chapter|§|版本|第)\W{0,2}$", re.IGNORECASE)


def _is_card(match: re.Match[str]) -> bool:
    """A known issuer's number of the right length (ISO/IEC 7812) with its check digit."""
    digits = re.sub(r"\D", "", match[0])
    lengths = {"4": (13, 16, 19), "5": (16,), "2": (16,), "3": (14, 15, 16), "6": (16, 17, 18, 19)}
    issuer = re.match(r"4|5[1-5]|2[2-7]|3[4-9]|30|6[0245]", digits)
    return bool(issuer) and len(digits) in lengths[digits[0]] and len(set(digits)) > 1 and luhn(digits)


def _is_iban(match: re.Match[str]) -> bool:
    plain = match[0].replace(" ", "")
    return 15 <= len(plain) <= 34 and mod_97(plain)


def _is_resident(match: re.Match[str]) -> bool:
    return mod_11_2(match[0])


def _is_public_ip(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 12) : match.start()]
    try:
        return ipaddress.ip_address(match[0]).is_global and not PREFIX.search(before)
    except ValueError:
        return False


def _is_phone(match: re.Match[str]) -> bool:
    """E.164: at most 15 digits, the country's code among them."""
    return 8 <= sum(map(str.isdigit, match[0])) <= 15


@dataclass(frozen=True)
class Kind:
    """How a kind of personal data is written, what proves it, and what stands for it afterwards."""

    pattern: re.Pattern[str]
    placeholder: str
    proof: Callable[[re.Match[str]], bool] = bool


HEX = "[0-9A-Fa-f]{1,4}"
PHONES = (
    r"(?<![\w+])\+[1-9]\d{0,2}(?:[ .-]?(?:\(\d{1,4}\)|\d{1,4})){2,6}(?![\w.,]?\d)",  # international
    r"(?<![\w.(+-])(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d-|[2-9]\d\d\.)[2-9]\d\d[-.]\d{4}(?![-.]?\w)",  # US
    r"(?<![A-Za-z0-9.,$€£¥-])(?:86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![A-Za-z0-9]|[.,]\d)",  # Chinese mobile
    r"(?<![A-Za-z0-9.,-])0(?:10|2\d|[3-9]\d\d)-[2-9]\d{6,7}(?![A-Za-z0-9-])",  # Chinese landline
    r"(?i:(?<![a-z])(?:tel|phone|fax|mobile)\b|电话|電話|手机|手機|传真|傳真)[^\w+]{1,3}\d[\d .()-]{5,17}\d(?!\w)",
)
KINDS: dict[str, Kind] = {
    "email": Kind(
        re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}(?![A-Za-z0-9])"),
        "<EMAIL>",
    ),
    "iban": Kind(
        re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"),
        "<IBAN>",
        _is_iban,
    ),
    "resident_identity_number": Kind(
        re.compile(
            r"(?<![A-Za-z0-9])[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])"
        ),
        "<ID>",
        _is_resident,
    ),
    "credit_card": Kind(re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)", re.ASCII), "<CARD>", _is_card),
    "social_security_number": Kind(
        re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}([- ])(?!00)\d\d\1(?!0000)\d{4}(?![\w-]|[.,]\d)", re.ASCII), "<SSN>"
    ),
    "ip_address": Kind(
        re.compile(
            r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)"
            rf"|(?<![\w:.])[23][0-9A-Fa-f]{{3}}:(?:{HEX}:|:){{1,6}}(?:{HEX})?(?![\w:])",
            re.ASCII,
        ),
        "<IP>",
        _is_public_ip,
    ),
    "phone": Kind(re.compile("|".join(PHONES), re.ASCII), "<PHONE>", _is_phone),
}
CHANGES = tuple(f"{kind}_scrubbed" for kind in KINDS)


def scrubbed(text: str, kinds: Collection[str]) -> tuple[str, list[str]]:
    """The text with placeholders for the given kinds, and which of CHANGES were made."""
    changes: list[str] = []
    if not TRACE.search(text):
        return text, changes
    for name, kind in KINDS.items():
        if name in kinds and (clean := _replaced(text, kind)) != text:
            text = clean
            changes.append(f"{name}_scrubbed")
    return text, changes


def _replaced(text: str, kind: Kind) -> str:
    return kind.pattern.sub(lambda match: kind.placeholder if kind.proof(match) else match[0], text)
