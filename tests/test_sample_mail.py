"""The task `spam`: what of an e-mail is kept, and that near-identical mails stand in one split."""

from __future__ import annotations

import base64
import importlib.util
import random
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_mail", root / "infra" / "sample_mail.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mail(body: str, *headers: str, subject: str = "Hello") -> str:
    return "\n".join(["From ada@example.org Thu Aug 22", f"Subject: {subject}", *headers, "", body])


def test_headers_are_dropped_but_the_subject(script: ModuleType) -> None:
    text = script.mail_text(mail("The body.", "X-Spam-Status: Yes", "Received: from a.example.org"))
    assert text == "Hello\n\nThe body."


def test_a_filters_verdict_is_taken_out(script: ModuleType) -> None:
    body = "SPAM: ---- Start SpamAssassin results\nSPAM: 9 hits\nThe body."
    assert script.mail_text(mail(body, subject="*****SPAM***** Win")) == "Win\n\nThe body."


def test_addresses_links_and_numbers_are_scrubbed(script: ModuleType) -> None:
    body = "Ask ada.l@mail.example.org or +1 (800) 555-1234, see http://example.org/x?y=1 at 10.0.0.1 in 2002."
    assert script.mail_text(mail(body)).endswith("Ask <EMAIL> or <PHONE>, see <URL> at <IP> in 2002.")


def test_of_several_parts_plain_text_is_taken_first(script: ModuleType) -> None:
    parts = [("text/html", "<p>page</p>"), ("text/plain", "plain")]
    inner = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    assert script.mail_text(mail(f"{inner}--b--", 'Content-Type: multipart/alternative; boundary="b"')).endswith(
        "plain"
    )


def test_a_page_becomes_text_without_tags_scripts_and_comments(script: ModuleType) -> None:
    page = "<html><style>x{}</style><!-- c --><p>Buy &amp; <b>save</b><br>now<script>f()</script></html>"
    text = script.mail_text(mail(page, "Content-Type: text/html"))
    assert text.split() == ["Hello", "Buy", "&", "save", "now"]


@pytest.mark.parametrize(
    ("encoded", "headers"),
    [
        (base64.b64encode("免費貓".encode("big5")).decode(), ("text/plain; charset=big5", "base64")),
        ("=E5=85=8D=E8=B2=BB=E8=B2=93", ("text/plain; charset=utf-8", "quoted-printable")),
        ("免費貓", ("text/plain; charset=iso-8859-1", "8bit")),
        ("免費貓", ("text/plain; charset=no-such-charset", "8bit")),
    ],
)
def test_bodies_are_decoded_however_they_are_declared(
    script: ModuleType, encoded: str, headers: tuple[str, str]
) -> None:
    raw = mail(encoded, f"Content-Type: {headers[0]}", f"Content-Transfer-Encoding: {headers[1]}")
    assert script.mail_text(raw) == "Hello\n\n免費貓"


def test_long_bodies_are_cut(script: ModuleType) -> None:
    assert len(script.mail_text(mail("word " * 5000))) <= script.CHARACTERS


def test_near_identical_mails_stand_in_one_split_and_identical_ones_once(script: ModuleType) -> None:
    chance = random.Random(0)
    words = [f"{a}{b}" for a in "bcdfghklmn" for b in ("ako", "eri", "ilu", "ota", "une")]
    mails = []
    for number in range(60):
        body = " ".join(chance.choices(words, k=40))
        variants = [f"{body} {name}" for name in ("ada", "grace", "alan")] + [f"{body} ada 123"]
        mails += [
            {"raw": mail(text, subject=f"s{number}"), "label": "spam" if number % 3 else "ham"} for text in variants
        ]
    splits = script.spam_task(mails)
    standing = {split: {row["text"].split()[0] for row in rows} for split, rows in splits.items()}
    assert sum(map(len, standing.values())) == len(set.union(*standing.values())) == 60
    assert sum(len(rows) for rows in splits.values()) == 180
    assert Counter(row["label"] for row in splits["test"]) == {"spam": 18, "ham": 9}
    assert script.spam_task(list(reversed(mails))) == splits
