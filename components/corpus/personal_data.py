"""Personal data replaced by a placeholder: <EMAIL>, <PHONE>, <IP>, <CARD>, <SSN>, <IBAN>, <ID>.

A number counts only with a valid check digit or in a typical notation, in ASCII or full-width characters. datatrove's
PIIFormatter detects e-mail and IP addresses alone, misses an address after a Han character and takes version numbers
for addresses. benchmarks/personal_data.py measures recall and false positives.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.corpus import source_code
from components.corpus.check_digits import IBAN_LENGTHS, PROVINCES, luhn, mod_11_2, mod_97
from components.corpus.phone_numbers import phone_numbers, says_otherwise

Spans = Iterator[tuple[int, int]]

TRACE = re.compile(
    r"[@＠0-9０-９:](?:(?<=[@＠])|(?<=:)[0-9A-Fa-f]{0,4}:"
    r"|(?<=[0-9０-９])(?:(?:[ .()\-（）－/]{0,3}[0-9０-９]){6}|[.．][0-9０-９]{1,3}[.．][0-9０-９]))"
)
"""A text without any of these has no personal data. All begin with one set, which `re` looks for without the rest."""
_FULL_WIDTH = re.compile("[０-９＠]")
_HALF_WIDTH = str.maketrans({chr(code): chr(code - 0xFEE0) for code in map(ord, "＠＋－．＿（）")}) | {
    code: code - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)
}
"""Full-width letters, digits and the marks within numbers and addresses; commas and colons belong to the sentence."""

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+-]+)@((?:[A-Za-z0-9-]+\.)+)([A-Za-z]{2,24})(?![A-Za-z0-9])")
_NO_MAIL = frozenset(
    """
png jpg jpeg gif svg webp bmp ico css scss js mjs jsx tsx json html htm xml yaml yml toml tgz gz bz2 xz zst tar exe dll
jar whl deb rpm log txt pdf csv lock conf cfg ini service socket timer target slice mount scope device path automount
swap local lan internal localdomain
""".split()  # noqa: SIM905
)
"""Extensions of files, of systemd units and of host names in a local network."""
_TOP_LEVEL = frozenset(
    "com net org edu gov mil int info biz name pro app dev xyz online site top vip email cloud".split()  # noqa: SIM905
)
"""Top-level domains of addresses in source code, beside the two letters of countries."""
_REPOSITORY_USERS = frozenset({"git", "hg", "svn"})

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d(?=[ -]?[A-Za-z0-9]{4})", re.ASCII)
_RESIDENT = re.compile(
    r"(?<![A-Za-z0-9])[1-8]\d{5}([ -]?)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\1\d{3}[\dXx]"
    r"(?![A-Za-z0-9])",
    re.ASCII,
)
_CARD = re.compile(
    r"(?<![\w.,-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{6}([ -])\d{10,13}"
    r"|\d{14,19})(?![\w-]|[.,]\d)",
    re.ASCII,
)
_CARD_LABEL = re.compile(r"(?i:card)|卡")
_ISSUERS = re.compile(  # Visa, Mastercard, American Express, Diners, JCB, Discover, Maestro, UnionPay
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|62\d{14,17}|60\d{14}|50\d{14}"
)
_SSN = re.compile(
    r"(?<![\w.])(?<![A-Za-z0-9]-)(?!000|666|9)\d{3}([- ]?)(?!00)\d\d\1(?!0000)\d{4}(?![\w-]|[.,]\d)", re.ASCII
)
_SSN_LABEL = re.compile(r"(?i:(?<![a-z])ssn|social\s+security|社会安全|社會安全|社保)[^0-9]{0,24}$")

_VERSION_4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)", re.ASCII)
_HEX = "[0-9A-Fa-f]{1,4}"
_VERSION_6 = re.compile(rf"(?<![\w:.])[23][0-9A-Fa-f]{{3}}:(?:{_HEX}:|:){{1,6}}(?:{_HEX})?(?![\w:])", re.ASCII)
_NET = re.compile(
    r"(?:://|@|\[|(?<![A-Za-z])(?:(?i:ips?|ipv4|address(?:es)?|addr|hostname|dns|nameserver|resolver|ping|ssh|telnet|curl|wget"
    r"|traceroute|subnet|src|dst|login|inet|x-forwarded-for|whois|visitor)|servers?|hosts?|gateway|proxy|router|client|peer"
    r"|remote|source|destination|blocked|banned)(?![A-Za-z])"
    r"|地址|伺服器|服务器|服務器|主机|主機|网关|網關|域名|解析|访问|訪問|登录|登錄|登入|来自|來自|节点|攻击|代理)[^.。\n]{0,16}$"
)
"""Words before four numbers that make them an address, however small."""
_NET_AFTER = re.compile(r":\d{2,5}(?!\d)|/(?:[89]|[12]\d|3[0-2])(?!\d)|\s?(?:服务器|服務器|主机|主機|地址)")
_NUMBERED = re.compile(
    r"(?<![A-Za-z])(?i:version|ver|v|release|rev|revision|build|firmware|driver|patch|section|sect?|chapter|clause|article"
    r"|annex|appendix|paragraph|para|fig(?:ure)?|table|step|rule|equation|algorithm|exercise|oid|kernel|lemma|theorem"
    r"|(?:upgrade|update|migrate)[sd]? (?:from|to))\b[^.。\n\d]{0,12}$"
    r"|(?:[§¶第图圖表式]|版本|固件|驱动|驅動|补丁|更新|升级|升級|章节|章節|标准|標準|条款|條款|附录|附錄)[^.。\n\d]{0,6}$"
    r"|(?<!/)(?<![A-Za-z])[A-Za-z][\w+.]*[/_-]$"
)
"""Words before four numbers that make them a version, a section or a figure."""
_NUMBERED_AFTER = re.compile(r"\s?(?:节|節|章|条(?!件)|條|款|版)|[-_+][A-Za-z]|\.(?:jar|zip|exe|tar|dmg|apk|deb)")
_PRODUCT = re.compile(r"(?<![A-Za-z])[A-Z][\w+]* $")


def _emails(text: str) -> Spans:
    for match in _EMAIL.finditer(text):
        if _is_email(match):
            yield match.span()


def _is_email(match: re.Match[str]) -> bool:
    """Excludes repositories, hosts with users, versions of packages, files and systemd units."""
    text, (user, domain, ending) = match.string, match.groups()
    labels = domain.rstrip(".").split(".")
    numeric = sum(label.isdigit() for label in labels)
    after = text[match.end() : match.end() + 2]
    before = text[max(0, match.start() - 80) : match.start()]
    if user in _REPOSITORY_USERS or re.search(r"(?<!mailto)://[^\s/]*$", before):
        return False
    if re.match(r":[A-Za-z0-9_~/.]|\(|\.\d", after) or ending.lower() in _NO_MAIL:
        return False
    return numeric == 0 or (numeric == 1 and ending.lower() in ("com", "cn", "net"))  # 163.com, 189.cn


def _emails_in_code(text: str) -> Spans:
    """`a@b.values` multiplies matrices: the suffix must be one that addresses have."""
    for match in _EMAIL.finditer(text):
        if (len(match[3]) == 2 or match[3].lower() in _TOP_LEVEL) and _is_email(match):
            yield match.span()


def _ibans(text: str) -> Spans:
    for match in _IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match[0][:2].upper(), 0)
        end = _end_of(text, match.start(), length) if length else 0
        account = re.sub("[ -]", "", text[match.start() : end]).upper()
        if end and not re.match("[A-Za-z0-9]", text[end : end + 1]) and account.isascii() and mod_97(account):
            yield match.start(), end


def _end_of(text: str, start: int, length: int) -> int:
    """The end of so many letters and digits in groups of four, with one space or hyphen between; 0 where they do not
    match.
    """
    found = 0
    for place in range(start, min(len(text), start + 2 * length)):
        char = text[place]
        if char.isascii() and char.isalnum():
            found += 1
            if found == length:
                return place + 1
        elif char not in " -" or found % 4 or text[place - 1] == char:
            return 0
    return 0


def _residents(text: str) -> Spans:
    for match in _RESIDENT.finditer(text):
        if match[0][:2] in PROVINCES and mod_11_2(re.sub("[ -]", "", match[0])):
            yield match.span()


def _cards(text: str) -> Spans:
    """A number of a known issuer with the right length (ISO/IEC 7812) and check digit, grouped as on a card or not."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if not _ISSUERS.fullmatch(digits) or len(set(digits)) < 2 or not luhn(digits):
            continue
        before = text[max(0, match.start() - 12) : match.start()]
        if match[0] != digits or _CARD_LABEL.search(before) or not says_otherwise(text, match.start()):
            yield match.span()


def _socials(text: str) -> Spans:
    """With hyphens; with spaces or no separator only after a label."""
    for match in _SSN.finditer(text):
        labelled = _SSN_LABEL.search(text[max(0, match.start() - 40) : match.start()])
        if labelled or (match[1] == "-" and not says_otherwise(text, match.start())):
            yield match.span()


def _addresses(text: str) -> Spans:
    for match in _VERSION_4.finditer(text):
        if _is_public(match[0]) and _is_address(match):
            yield match.span()
    for match in _VERSION_6.finditer(text):
        if _is_public(match[0]):
            yield match.span()


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _is_address(match: re.Match[str]) -> bool:
    """Four numbers: an address where a word about networks is beside them, or where they are too large for a version.

    Versions and sections hardly ever have two numbers above 31. 0.7 % of random public addresses have fewer; these are
    detected only by the words beside them.
    """
    text, parts = match.string, match[0].split(".")
    before = text[max(0, match.start() - 40) : match.start()]
    if _NUMBERED.search(before) or _NUMBERED_AFTER.match(text, match.end()):
        return False
    if _NET.search(before) or _NET_AFTER.match(text, match.end()):
        return True
    product = "0" in parts[1:3] and _PRODUCT.search(before)
    return sum(int(part) > 31 for part in parts) >= 2 and not product


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: its pattern, its placeholder, and its pattern in source code, if any.

    In source code numbers are constants, versions and test data: only self-evident matches count there.
    """

    placeholder: str
    find: Callable[[str], Spans]
    find_in_code: Callable[[str], Spans] | None = None


KINDS: dict[str, Kind] = {
    "email": Kind("<EMAIL>", _emails, _emails_in_code),
    "iban": Kind("<IBAN>", _ibans, _ibans),
    "resident_identity_number": Kind("<ID>", _residents, _residents),
    "credit_card": Kind("<CARD>", _cards),
    "social_security_number": Kind("<SSN>", _socials),
    "ip_address": Kind("<IP>", _addresses),
    "phone": Kind("<PHONE>", phone_numbers),
}
CHANGES = tuple(f"{kind}_scrubbed" for kind in KINDS)


def scrubbed(text: str, kinds: Collection[str]) -> tuple[str, list[str]]:
    """The text with placeholders for the given kinds, and the CHANGES that were made. All of it counts as prose."""
    return _scrubbed(text, {name: kind.find for name, kind in KINDS.items() if name in kinds})


def scrubbed_around_code(text: str, kinds: Collection[str], code: bool = False) -> tuple[str, list[str]]:
    """As `scrubbed`, but source code within the text, or the whole text with `code`, uses the patterns for source
    code.
    """
    whole, changes = (text, []) if code else scrubbed(text, kinds)
    if not code and (whole == text or not source_code.holds_code(text)):
        return whole, changes
    find = {name: kind.find for name, kind in KINDS.items() if name in kinds}
    find_in_code = {name: kind.find_in_code for name, kind in KINDS.items() if name in kinds and kind.find_in_code}
    parts = [(text, True)] if code else source_code.parts(text)
    found = [_scrubbed(part, find_in_code if is_code else find) for part, is_code in parts]
    made = {change for _, changes in found for change in changes}
    return "".join(part for part, _ in found), [change for change in CHANGES if change in made]


def _scrubbed(text: str, find: Mapping[str, Callable[[str], Spans]]) -> tuple[str, list[str]]:
    changes: list[str] = []
    if not TRACE.search(text):
        return text, changes
    # Of the same length, so that a place in one is that place in the other.
    half = text if text.isascii() or not _FULL_WIDTH.search(text) else text.translate(_HALF_WIDTH)
    for name, spans in find.items():
        if found := _apart(spans(half)):
            text, half = (_replaced(one, found, KINDS[name].placeholder) for one in (text, half))
            changes.append(f"{name}_scrubbed")
    return text, changes


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The matches in order, without those that overlap an earlier or longer one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


def _replaced(text: str, spans: list[tuple[int, int]], placeholder: str) -> str:
    for start, end in reversed(spans):
        text = text[:start] + placeholder + text[end:]
    return text
