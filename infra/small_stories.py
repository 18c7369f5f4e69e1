"""Small stories made by rule: the data of examples/story.

A friend helps an animal to find a thing again. Who, what, where and in which words is drawn; what was said at the
beginning holds to the end, which a model has to remember and a count of n-grams cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from example_texts import drawn
from sample_data import Row

NAMES = {
    "Anna": "her", "Bella": "her", "Cleo": "her", "Daisy": "her", "Ella": "her", "Flora": "her", "Greta": "her",
    "Hanna": "her", "Ida": "her", "Jenny": "her", "Adam": "his", "Ben": "his", "Carl": "his", "Dan": "his",
    "Emil": "his", "Frank": "his", "Gus": "his", "Henry": "his", "Ivan": "his", "Jack": "his",
}  # fmt: skip
"""Name -> the word for what is theirs."""
PRONOUNS = {"her": "She", "his": "He"}
ANIMALS = ("bear", "cat", "dog", "duck", "fox", "frog", "goat", "hare", "mouse", "owl", "pig", "sheep")
MANNERS = ("brave", "clever", "gentle", "lazy", "old", "proud", "small", "young")
HOMES = ("by the lake", "by the river", "in a barn", "in an old mill", "near the sea", "under a big tree")
COLOURS = ("black", "blue", "brown", "green", "grey", "red", "white", "yellow")
THINGS = ("ball", "boat", "book", "cup", "drum", "flute", "hat", "kite", "lamp", "scarf")
PLACES = ("behind the church", "in the garden", "in the wood", "on the bridge", "on the hill", "under the stairs")
MEALS = ("apple pie", "bread and honey", "cheese", "hot soup", "nuts", "pancakes")
TIMES = ("One morning", "One evening", "On a cold day", "On a Sunday", "In spring", "After the rain")


def stories(count: int) -> Iterator[Row]:
    """Each follows from its number alone."""
    for number in range(count):
        yield {"text": story(lambda of, number=number: drawn(f"story {number} {of}", 2**32))}


def story(draw: Callable[[str], int]) -> str:
    def one(of: str, among: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
        left = [word for word in among if word not in without]
        return left[draw(of) % len(left)]

    hero = one("hero", tuple(NAMES))
    friend = one("friend", tuple(NAMES), (hero,))
    animal, other = one("animal", ANIMALS), one("other animal", ANIMALS)
    home, thing = one("home", HOMES), f"{one('colour', COLOURS)} {one('thing', THINGS)}"
    first = one("first place", PLACES)
    second = one("second place", PLACES, (first,))
    theirs, she = NAMES[hero], PRONOUNS[NAMES[hero]]
    begin = (
        f"{hero} was a {one('manner', MANNERS)} {animal} who lived {home}.",
        f"Once a {one('manner', MANNERS)} {animal} named {hero} lived {home}.",
    )
    lost = (
        f"{one('time', TIMES)} {hero} lost {theirs} {thing}.",
        f"{one('time', TIMES)} {theirs} {thing} was gone.",
    )
    ask = (
        f"{she} asked {theirs} friend {friend} the {other} for help.",
        f"{she} went to {friend} the {other} and told {theirs} friend about it.",
    )
    search = (
        f"{friend} looked {first}, but the {thing} was not there.",
        f'"Is it {first}?" said {friend}. It was not.',
    )
    find = (
        f"Then {hero} and {friend} looked {second}, and there lay the {thing}.",
        f"In the end {friend} found the {thing} {second}.",
    )
    meal = one("meal", MEALS)
    end = (
        f'"Thank you, {friend}," said {hero}, and the {animal} and the {other} had {meal} {home}.',
        f"The {animal} was glad, and {hero} gave {friend} the {other} {meal}.",
    )
    return " ".join(one(f"words {n}", told) for n, told in enumerate((begin, lost, ask, search, find, end)))
