"""The task `spam`: e-mails as subject and body, without headers and addresses; near-identical ones stay together."""

from __future__ import annotations

import email
import email.policy
import hashlib
import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from email.message import Message
from typing import Any

Row = dict[str, Any]
Splits = dict[str, list[Row]]

SEED = "lianzi sample mail 1"
CHARACTERS = 4000
MIN_CHARACTERS = 20
SHARES = {"test": 0.15, "validation": 0.15}
ALIKE = 0.5
"""Share of common shingles (Jaccard) from which on two mails count as near-identical."""
SHINGLE = 5
SKETCH = 24
"""Smallest shingle hashes of a mail; those that share one with another are compared in full."""

# What a spam filter wrote into a mail that went through it: its verdict, which must not be learned from.
_VERDICT = re.compile(r"\*{2,}\s*SPAM\s*\*{2,}|\[SPAM\]", re.IGNORECASE)
_REPORT = re.compile(r"^SPAM: .*\n?", re.MULTILINE)
_SCRUBBED = {
    "<EMAIL>": re.compile(r"[\w.+=-]+\s?@\s?[\w-]+(?:\.[\w-]+)*"),
    "<URL>": re.compile(r"\b(?:https?|ftp)://[^\s<>\"')]+|\bwww\.[^\s<>\"')]+", re.IGNORECASE),
    "<PHONE>": re.compile(r"(?<![\w.])\+?\(?\d{1,4}\)?(?:[ .()/-]{1,2}\d{2,5}){2,5}(?!\w)"),
    "<IP>": re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"),
}
_TAGS = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[a-z!][^>]*>", re.IGNORECASE | re.DOTALL)
_BREAKS = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d|/?table)\b[^>]*>", re.IGNORECASE)


def spam_task(mails: Iterable[Row]) -> Splits:
    """70/15/15 of the mails, ham and spam divided alike, near-identical ones all in one split."""
    rows = list(_unique({"text": mail_text(row["raw"]), "label": row["label"]} for row in mails))
    splits: Splits = {"train": [], "validation": [], "test": []}
    wanted = {
        (split, label): round(share * count)
        for split, share in SHARES.items()
        for label, count in Counter(row["label"] for row in rows).items()
    }
    for group in sorted(groups(rows), key=lambda group: _key(group[0])):
        label = Counter(row["label"] for row in group).most_common(1)[0][0]
        split = next((split for split in SHARES if wanted[split, label] >= len(group)), "train")
        for row in group:
            wanted[split, row["label"]] = wanted.get((split, row["label"]), 0) - 1
        splits[split] += group
    return {split: sorted(rows, key=_key) for split, rows in splits.items()}


def mail_text(raw: str) -> str:
    """Subject and body of an e-mail (RFC 5322, MIME) as text, at most CHARACTERS of it."""
    message = email.message_from_bytes(raw.encode(errors="replace"), policy=email.policy.compat32)
    subject = _decoded_subject(message)
    text = f"{_VERDICT.sub('', subject).strip()}\n\n{_REPORT.sub('', _body(message))}"
    for mark, pattern in _SCRUBBED.items():
        text = pattern.sub(mark, text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:CHARACTERS].strip()


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows in groups of near-identical ones, most of them alone."""
    shingled = [_shingles(row["text"]) for row in rows]
    parents = list(range(len(rows)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    for first, second in _candidates(shingled):
        if root(first) != root(second) and _alike(shingled[first], shingled[second]):
            parents[root(second)] = root(first)
    found: dict[int, list[Row]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[root(number)].append(row)
    return [sorted(group, key=_key) for group in found.values()]


def _decoded_subject(message: Message) -> str:
    from email.header import decode_header

    try:
        parts = decode_header(str(message.get("subject", "")))
        return "".join(_decoded(part, charset, "utf-8") if isinstance(part, bytes) else part for part, charset in parts)
    except (ValueError, LookupError, email.errors.MessageError):
        return str(message.get("subject", ""))


def _body(message: Message) -> str:
    """The first text/plain part that says something, else the first text/html part as text."""
    plain, pages = [], []
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            plain.append(part)
        elif part.get_content_type() == "text/html":
            pages.append(part)
    texts = (*(_part_text(part) for part in plain), *(_page_text(_part_text(part)) for part in pages))
    return next((_page_text(text) if _is_page(text) else text for text in texts if text.strip()), "")


def _part_text(part: Message) -> str:
    payload, charset = part.get_payload(decode=True), part.get_content_charset()
    if not isinstance(payload, bytes):
        return ""
    # Bytes that stand in the mail as they are were made UTF-8 when the extract was; coded ones are what they claim.
    coded = str(part.get("content-transfer-encoding", "")).strip().lower() in ("base64", "quoted-printable")
    return _decoded(payload, *((charset, "utf-8") if coded else ("utf-8", charset)))


def _decoded(content: bytes, *charsets: str | None) -> str:
    """Decoded in the first charset that will do, else as Latin-1."""
    for charset in charsets:
        try:
            return content.decode(charset or "ascii")
        except (LookupError, UnicodeDecodeError):
            continue
    return content.decode("latin-1")


def _is_page(text: str) -> bool:
    """Whether what is declared to be plain text is a web page."""
    return bool(re.match(r"\s*<(?:!doctype|html|head|body|center|table)", text, re.IGNORECASE))


def _page_text(page: str) -> str:
    return html.unescape(_TAGS.sub(" ", _BREAKS.sub("\n", page)))


def _unique(rows: Iterable[Row]) -> Iterator[Row]:
    """One row of those whose letters are the same; rows that say next to nothing are left out."""
    seen: set[str] = set()
    for row in sorted(rows, key=_key):
        words = " ".join(_words(row["text"]))
        if len(row["text"]) >= MIN_CHARACTERS and words not in seen:
            seen.add(words)
            yield row


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def _shingles(text: str) -> frozenset[int]:
    words = _words(text)
    parts = (" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1)))
    return frozenset(int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "big") for part in parts)


def _candidates(shingled: Sequence[frozenset[int]]) -> Iterator[tuple[int, int]]:
    """Pairs that share one of their smallest hashes (Broder 1997)."""
    holders: dict[int, list[int]] = defaultdict(list)
    for number, shingles in enumerate(shingled):
        for value in sorted(shingles)[:SKETCH]:
            holders[value].append(number)
    for numbers in holders.values():
        for place, number in enumerate(numbers):
            for other in numbers[:place]:
                yield other, number


def _alike(first: frozenset[int], second: frozenset[int]) -> bool:
    return len(first & second) >= ALIKE * len(first | second)


def _key(row: Row) -> str:
    return hashlib.sha256(f"{SEED}\n{row['text']}".encode()).hexdigest()
