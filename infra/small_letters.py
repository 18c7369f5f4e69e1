"""Letters to a shop and a line about each, made by rule: the data of examples/summarization.

A letter tells who writes, what was ordered, what went wrong and what is wished, in other words and another order each
time; the line gives the four in short words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from example_texts import drawn
from sample_data import Row
from small_orders import NAMES

CITIES = ("Bath", "Cork", "Derby", "Exeter", "Leeds", "Oban", "Oxford", "Ripon", "Truro", "York")
THINGS = ("bag", "bed", "book", "chair", "clock", "coat", "desk", "lamp", "radio", "shirt", "table", "tent")
COLOURS = ("black", "blue", "brown", "green", "red", "white")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TROUBLES = {
    "broken": ("it was broken when I opened the box", "one side of it is in pieces", "it has a large crack"),
    "late": ("it has not come yet", "I am still waiting for it", "nothing has arrived until today"),
    "too small": (
        "it is much smaller than I thought",
        "it should be a size larger",
        "it does not fit",
    ),
    "wrong colour": ("the colour is not the one I chose", "its colour is another one", "I did not ask for this colour"),
    "too dear": ("I was charged more than the page said", "the bill is too high", "I paid more than the price"),
}
"""As the line says it -> as the letters do."""
WISHES = {
    "refund": ("Please send my money back.", "I want to be paid back.", "I would like to have my money again."),
    "exchange": ("Please send me another one.", "Can I have another one instead?", "I hope that you can replace it."),
    "answer": ("Please tell me what to do.", "What should I do now?", "I am waiting for your reply."),
}
OPENINGS = (
    "My name is {name} and I live in {city}.",
    "I am {name} from {city}.",
    "This is {name}, writing from {city}.",
)
ORDERS = (
    "On {day} I ordered a {colour} {thing}.",
    "I bought a {colour} {thing} from you on {day}.",
    "The {thing} that I chose on {day} was {colour}.",
)
FILLERS = (
    "I have been a customer for years.",
    "The weather has been fine here.",
    "My neighbour told me about your shop.",
    "The postman was friendly as ever.",
    "I have never written such a letter before.",
)


def letters(count: int) -> Iterator[Row]:
    """Rows with `text` and `target`; each follows from its number alone."""
    for number in range(count):
        yield letter(lambda of, number=number: drawn(f"letter {number} {of}", 2**32))


def letter(draw: Callable[[str], int]) -> Row:
    def one(of: str, among: tuple[str, ...]) -> str:
        return among[draw(of) % len(among)]

    name, city, day = one("name", NAMES), one("city", CITIES), one("day", DAYS)
    colour, thing = one("colour", COLOURS), one("thing", THINGS)
    trouble, wish = one("trouble", tuple(TROUBLES)), one("wish", tuple(WISHES))
    slots = {"name": name, "city": city, "day": day, "colour": colour, "thing": thing}
    told = one("trouble told", TROUBLES[trouble])
    body = [
        one("order", ORDERS).format(**slots),
        f"But {told}." if draw("but") % 2 else f"{told[0].upper()}{told[1:]}.",
        one("wish told", WISHES[wish]),
    ]
    opening, filler = one("opening", OPENINGS).format(**slots), one("filler", FILLERS)
    # Who writes stands at the beginning or at the end, and what matters to nobody before or behind the order.
    body.insert(draw("place of filler") % 2, filler)
    text = " ".join([opening, *body] if draw("first") % 2 else [*body, opening])
    return {"text": text, "target": f"{name} from {city}: {colour} {thing} {trouble}, wants {wish}"}
