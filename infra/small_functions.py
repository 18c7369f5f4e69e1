"""Python functions of a line with a docstring, made by rule, and tests of them: the rows of examples/code.

A docstring says in English what the line computes. Names and numbers are drawn, so no function of the test rows is
among the train rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from example_texts import drawn
from sample_data import Row

NUMBERS = ("a", "b", "count", "left", "n", "number", "right", "size", "x", "y")
LISTS = ("data", "entries", "items", "numbers", "things", "values")
TEXTS = ("line", "name", "s", "text", "title", "word")
VALUES: dict[str, tuple[Any, ...]] = {
    "number": (0, 5, 12, 36),
    "list": ([3, 9, 14, 1, 9], [7, 30, 2]),
    "text": ("abcdef",),
}
"""What a function is tried with, by the kind of its argument."""


@dataclass(frozen=True)
class Form:
    """A kind of function: its name, kinds of arguments, docstring and the expression returned. {p} and {q} stand for
    arguments, {k} and {m} for numbers."""

    name: str
    kinds: tuple[str, ...]
    told: str
    returned: str


FORMS = (
    Form("add", ("number", "number"), "Return the sum of {p} and {q}.", "{p} + {q}"),
    Form("subtract", ("number", "number"), "Return {p} minus {q}.", "{p} - {q}"),
    Form("multiply", ("number", "number"), "Return {p} times {q}.", "{p} * {q}"),
    Form("largest", ("number", "number"), "Return the larger of {p} and {q}.", "max({p}, {q})"),
    Form("smallest", ("number", "number"), "Return the smaller of {p} and {q}.", "min({p}, {q})"),
    Form("is_larger", ("number", "number"), "Return True if {p} is larger than {q}.", "{p} > {q}"),
    Form("is_smaller", ("number", "number"), "Return True if {p} is smaller than {q}.", "{p} < {q}"),
    Form("increase", ("number",), "Return {p} plus {k}.", "{p} + {k}"),
    Form("decrease", ("number",), "Return {p} minus {k}.", "{p} - {k}"),
    Form("is_divisible", ("number",), "Return True if {p} is divisible by {k}.", "{p} % {k} == 0"),
    Form("is_between", ("number",), "Return True if {p} is at least {k} and at most {m}.", "{k} <= {p} <= {m}"),
    Form("scale", ("number",), "Return {p} plus {k}, times {m}.", "({p} + {k}) * {m}"),
    Form("combine", ("number", "number"), "Return {p} times {k}, plus {q}.", "{p} * {k} + {q}"),
    Form("first", ("list",), "Return the first {k} items of {p}.", "{p}[:{k}]"),
    Form("last", ("list",), "Return the last {k} items of {p}.", "{p}[-{k}:]"),
    Form("larger_items", ("list",), "Return the items of {p} larger than {k}.", "[i for i in {p} if i > {k}]"),
    Form("smaller_items", ("list",), "Return the items of {p} smaller than {k}.", "[i for i in {p} if i < {k}]"),
    Form("multiples", ("list",), "Return the items of {p} divisible by {k}.", "[i for i in {p} if i % {k} == 0]"),
    Form("scaled", ("list",), "Return each item of {p} times {k}.", "[i * {k} for i in {p}]"),
    Form("raised", ("list",), "Return each item of {p} plus {k}.", "[i + {k} for i in {p}]"),
    Form("occurrences", ("list", "number"), "Return how often {q} occurs in {p}.", "{p}.count({q})"),
    Form("has", ("list", "number"), "Return True if {q} is in {p}.", "{q} in {p}"),
    Form("ordered", ("list",), "Return {p} sorted, the largest first.", "sorted({p}, reverse=True)"),
    Form("total", ("list",), "Return the sum of {p} plus {k}.", "sum({p}) + {k}"),
    Form("shout", ("text",), "Return {p} in upper case, {k} times.", "{p}.upper() * {k}"),
    Form("backwards", ("text",), "Return the first {k} characters of {p} reversed.", "{p}[:{k}][::-1]"),
    Form("without", ("text",), "Return {p} without its first {k} characters.", "{p}[{k}:]"),
    Form("is_longer", ("text",), "Return True if {p} has more than {k} characters.", "len({p}) > {k}"),
)  # fmt: skip
POOLS = {"number": NUMBERS, "list": LISTS, "text": TEXTS}


def functions(count: int) -> Iterator[Row]:
    """Rows with `prompt`, `completion`, `text` of both, and `test`; each follows from its number alone."""
    for number in range(count):
        yield function(lambda of, number=number: drawn(f"function {number} {of}", 2**32))


def function(draw: Callable[[str], int]) -> Row:
    form = FORMS[draw("form") % len(FORMS)]
    names: list[str] = []
    for place, kind in enumerate(form.kinds):
        left = [name for name in POOLS[kind] if name not in names]
        names.append(left[draw(f"argument {place}") % len(left)])
    least = 2 + draw("k") % 18
    slots = {**dict(zip("pq", names, strict=False)), "k": least, "m": least + 1 + draw("m") % 18}
    prompt = f'def {form.name}({", ".join(names)}):\n    """{form.told.format(**slots)}"""\n'
    returned = form.returned.format(**slots)
    completion = f"    return {returned}"
    return {
        "text": prompt + completion,
        "prompt": prompt,
        "completion": completion,
        "test": tests(form, names, returned),
    }


def tests(form: Form, names: list[str], returned: str) -> str:
    """Assertions: what the function returns for each of VALUES, in turn."""
    rounds = max(len(VALUES[kind]) for kind in form.kinds)
    lines = []
    for turn in range(rounds):
        values = [VALUES[kind][(turn + place) % len(VALUES[kind])] for place, kind in enumerate(form.kinds)]
        given = dict(zip(names, values, strict=True))
        expected = eval(returned, {"__builtins__": {}}, {**BUILTINS, **given})  # noqa: S307
        lines.append(f"assert {form.name}({', '.join(map(repr, values))}) == {expected!r}")
    return "\n".join(lines)


BUILTINS = {"max": max, "min": min, "sum": sum, "len": len, "sorted": sorted}


def problems(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as JSON lines in HumanEval's form."""
    for row in rows:
        yield json.dumps({"prompt": row["prompt"], "canonical_solution": row["completion"], "test": row["test"]})
