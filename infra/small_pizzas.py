"""Orders of a pizza, made by rule: the data of examples/multi_label.

The labels are what goes on the pizza. Each order also names what does not, before or behind it, in a list that one
word negates: which it is cannot be told from the word alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from example_texts import drawn
from sample_data import Row

TOPPINGS = ("anchovies", "basil", "cheese", "egg", "ham", "mushrooms", "olives", "onions", "peppers", "spinach", "tuna")
WANTED = ("with {}", "with {}, please", "and put {} on it", "I would like {} on it", "I love {}", "add {}")
UNWANTED = ("without {}", "no {}", "but leave out {}", "my son cannot eat {}", "take off {}", "hold {}")
OPENINGS = ("A large pizza", "A small pizza", "One pizza to go", "Good evening, a pizza", "Another pizza for me")


def orders(count: int) -> Iterator[Row]:
    """Rows with `text` and `labels`; each follows from its number alone."""
    for number in range(count):
        yield order(lambda of, number=number: drawn(f"pizza {number} {of}", 2**32))


def order(draw: Callable[[str], int]) -> Row:
    chosen = sorted(TOPPINGS, key=lambda topping: draw(topping))
    wanted, named = 1 + draw("wanted") % 3, 1 + draw("unwanted") % 3
    lists = listed(chosen[:wanted], draw("and") % 2), listed(chosen[wanted : wanted + named], draw("or") % 2)
    phrases = [
        WANTED[draw("wish") % len(WANTED)].format(lists[0]),
        UNWANTED[draw("dislike") % len(UNWANTED)].format(lists[1]),
    ]
    if draw("order") % 2:
        phrases.reverse()
    text = f"{OPENINGS[draw('opening') % len(OPENINGS)]}, {'; '.join(phrases)}."
    return {"text": text, "labels": sorted(chosen[:wanted])}


def listed(names: list[str], way: int) -> str:
    """ham, egg and olives; or: ham or egg or olives."""
    *most, last = names
    return f"{', '.join(most)} {('and', 'or')[way]} {last}" if most else last
