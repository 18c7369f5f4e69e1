"""Sentences on two people of three and what one did for the other, made by rule: the data of examples/relation.

Who did it to whom follows from the order of the names and the voice of the verb together. A profession stands before
every name and a town behind it, so no name is beside a verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from example_texts import drawn
from sample_data import Row
from small_letters import CITIES
from small_orders import NAMES

NO_RELATION = "no_relation"
PROFESSIONS = ("baker", "doctor", "farmer", "lawyer", "painter", "pilot", "poet", "singer", "smith", "tailor")
ACTIVE = {
    "teacher_of": ("taught", "was the teacher of", "gave lessons to"),
    "employer_of": ("hired", "was the employer of", "gave work to"),
    "parent_of": ("brought up", "was a parent of", "gave life to"),
}
"""Relation of the first to the second -> what stands between them."""
PASSIVE = {
    "teacher_of": ("was taught by", "was a pupil of", "took lessons from"),
    "employer_of": ("was hired by", "was employed by", "worked for"),
    "parent_of": ("was brought up by", "was a child of", "had a parent in"),
}
"""Relation of the second to the first."""


def relations(count: int) -> Iterator[Row]:
    """Rows of `count` sentences with `text`, `head`, `tail` and `label`; each sentence follows from its number alone.
    The first of three people is related to the second, and the second to the third."""
    for number in range(count):
        yield from sentence(lambda of, number=number: drawn(f"sentence {number} {of}", 2**32))


def sentence(draw: Callable[[str], int]) -> list[Row]:
    people = sorted(NAMES, key=lambda name: draw(name))[:3]
    held: dict[tuple[str, str], str] = {}
    verbs = []
    for number, (first, second) in enumerate(pairwise(people)):
        relation = tuple(ACTIVE)[draw(f"relation {number}") % len(ACTIVE)]
        passive = draw(f"voice {number}") % 2
        verbs.append((PASSIVE if passive else ACTIVE)[relation][draw(f"verb {number}") % 3])
        held[(second, first) if passive else (first, second)] = relation
    one, two, three = (person(name, draw) for name in people)
    text = f"{one[0].upper()}{one[1:]} {verbs[0]} {two}, who {verbs[1]} {three} in {1900 + draw('year') % 90}."
    # The related pairs in both orders, and one of the first and the third, who are not related.
    apart = people[::-2] if draw("apart") % 2 else people[::2]
    pairs = [*held, *((other, one) for one, other in held), (apart[0], apart[1])]
    return [row(text, pair, held.get(pair, NO_RELATION)) for pair in pairs]


def person(name: str, draw: Callable[[str], int]) -> str:
    """the baker Ada of York."""
    profession = PROFESSIONS[draw(f"profession of {name}") % len(PROFESSIONS)]
    return f"the {profession} {name} of {CITIES[draw(f'town of {name}') % len(CITIES)]}"


def row(text: str, pair: tuple[str, str], label: str) -> Row:
    """With the places of the two in the text."""
    places = [text.index(f" {name} ") + 1 for name in pair]
    head, tail = ([place, place + len(name)] for place, name in zip(places, pair, strict=True))
    return {"text": text, "head": head, "tail": tail, "label": label}
