"""A shop's help page and what people ask of it, made by rule: 60 answers, 36 questions each.

An answer tells how to do one of six things with one of ten; questions say both in other words. No question of one
answer in five is among the train rows: such an answer is found only where words were understood, not remembered.
Every row follows from the words alone.
"""

from __future__ import annotations

import hashlib
from itertools import product

THINGS = {
    "order": ("order", "purchase", "shopping", "goods", "basket", "items"),
    "account": ("account", "profile", "login", "user page", "registration", "online access"),
    "parcel": ("parcel", "package", "box", "shipment", "delivery", "consignment"),
    "invoice": ("invoice", "bill", "receipt", "charge", "proof of payment", "tax document"),
    "password": ("password", "passcode", "secret word", "sign-in key", "pin", "credentials"),
    "voucher": ("voucher", "gift card", "coupon", "discount code", "present", "store credit"),
    "address": ("address", "street", "house number", "postcode", "home", "place of residence"),
    "subscription": ("subscription", "monthly plan", "membership", "flat rate", "contract", "yearly deal"),
    "warranty": ("warranty", "guarantee", "repair cover", "protection", "insurance", "safety plan"),
    "newsletter": ("newsletter", "weekly mail", "advertising", "bulletin", "news", "e-mail list"),
}
"""The word of the help page, which is also the first of those that people use."""
ACTIONS = {
    "cancel": ("cancel", "call off", "stop", "get rid of", "end", "terminate"),
    "change": ("change", "edit", "update", "correct", "alter", "fix a mistake in"),
    "find": ("find", "look up", "see", "locate", "check on", "get a view of"),
    "share": ("share", "pass on", "give a friend", "hand over", "transfer", "let my wife use"),
    "renew": ("renew", "extend", "prolong", "keep for longer", "continue with", "have another year of"),
    "report": ("report", "complain about", "object to", "raise an issue with", "be angry about", "dispute"),
}
NOTES = {
    "cancel": "This cannot be undone.",
    "change": "It is saved at once.",
    "find": "Nothing older than two years is shown.",
    "share": "The other person gets an e-mail.",
    "renew": "It is valid for twelve months more.",
    "report": "Our staff reply within one working day.",
}
FRAMES = (
    "how do i {} my {}?",
    "can i {} my {}",
    "i would like to {} my {}",
    "please help me {} my {}",
    "is it possible to {} my {}?",
    "what must i do to {} my {}?",
    "where can i {} my {}",
    "hello, i need to {} my {} today",
    "i tried to {} my {} but it did not work",
    "could you tell me the way to {} my {}?",
    "{} my {}",
    "my question is how to {} my {}",
)


def answer(action: str, thing: str) -> str:
    """What the help page says."""
    article = "an" if thing[0] in "aeiou" else "a"
    return f"To {action} {article} {thing}, open the page {thing} and choose {action}. {NOTES[action]}"


def splits() -> dict[str, list[dict[str, str]]]:
    """Rows by split: of each answer that was ever asked for 70/10/20, of the others the test has two thirds."""
    found: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for action, thing in product(ACTIONS, THINGS):
        unheard = _drawn(f"{action} {thing}", 5) == 0
        for verb, noun in product(ACTIONS[action], THINGS[thing]):
            question = FRAMES[_drawn(f"frame {verb} {noun}", len(FRAMES))].format(verb, noun)
            place = _drawn(f"split {verb} {noun}", 30)
            split = "train" if place < 21 and not unheard else "validation" if place % 3 == 0 else "test"
            found[split].append({"question": question, "answer": answer(action, thing)})
    for rows in found.values():
        rows.sort(key=lambda row: hashlib.sha256(row["question"].encode()).digest())
    return found


def _drawn(text: str, count: int) -> int:
    """A number below `count`, from the text alone."""
    return int.from_bytes(hashlib.sha256(f"lianzi help 1 {text}".encode()).digest()[:8], "big") % count
