"""Conversations at the counter of a cafe, made by rule: the data of examples/dialogue.

A user orders, an assistant repeats the order and names the price, asks for the name, and calls it. What the assistant
says follows from what was said before, up to the arithmetic of small sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from example_texts import drawn
from sample_data import Row

NAMES = (
    "Ada", "Ben", "Chen", "Dora", "Emil", "Fay", "Gao", "Hugo", "Ines", "Jan", "Kim", "Lena", "Mo", "Nora", "Otto",
    "Pia", "Rosa", "Sam", "Tara", "Wei",
)  # fmt: skip
PRICES = {"coffee": 3, "tea": 2, "juice": 4, "water": 1, "cake": 5, "sandwich": 6, "soup": 7, "salad": 8}
"""In euros, of one."""
PLURALS = {"sandwich": "sandwiches", "coffee": "coffees", "juice": "juices", "salad": "salads"}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
PLACES = {"here": "at the table by the window", "to go": "at the counter"}
"""Where someone eats -> where the order is served."""
ASKS = ("I would like {}, {}.", "Can I have {}, {}?", "{}, please, {}.", "Hello! {}, {}.", "We take {}, {}.")
TELLS = ("My name is {}.", "{}.", "It is {}.", "I am {}, thanks.", "Please write {}.")


def conversations(count: int) -> Iterator[Row]:
    """Each follows from its number alone; `text` has the messages, a line each."""
    for number in range(count):
        messages = conversation(lambda of, number=number: drawn(f"order {number} {of}", 2**32))
        told = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(messages)]
        yield {"text": "\n".join(messages), "messages": told}


def conversation(draw: Callable[[str], int]) -> list[str]:
    """Order, price and question, name, and thanks."""
    items = sorted(PRICES, key=lambda item: draw(item))[: 1 + draw("items") % 2]
    counts = {item: 1 + draw(f"number of {item}") % len(NUMBERS) for item in items}
    order = " and ".join(counted(number, item) for item, number in counts.items())
    total = sum(PRICES[item] * number for item, number in counts.items())
    where = ("here", "to go")[draw("where") % 2]
    name = NAMES[draw("name") % len(NAMES)]
    asked = ASKS[draw("ask") % len(ASKS)].format(order, where)
    return [
        asked[0].upper() + asked[1:],
        f"{order[0].upper()}{order[1:]}, {where}: that is {total} euro{'s' if total > 1 else ''}. What is your name?",
        TELLS[draw("tell") % len(TELLS)].format(name),
        f"Thank you, {name}. Your {' and '.join(plural(items, counts))} will be ready {PLACES[where]}.",
    ]


def counted(number: int, item: str) -> str:
    """three teas."""
    return f"{NUMBERS[number]} {item if number == 1 else PLURALS.get(item, f'{item}s')}"


def plural(items: list[str], counts: dict[str, int]) -> list[str]:
    """As many of each: `tea`, or `teas`."""
    return [item if counts[item] == 1 else PLURALS.get(item, f"{item}s") for item in items]
