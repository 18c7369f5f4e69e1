"""Functions of Python's standard library: the corpus of examples/code."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

from sample_data import Row

LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "ensurepip", "turtledemo"}
"""Folders that hold other people's packages, tests, or programs."""
CORPUS_FUNCTIONS, LONGEST = 600, 1200


def library_functions(library: Path) -> Iterator[Row]:
    """The `text` of each function up to LONGEST characters, with the indentation of one at the top."""
    for path in sorted(library.rglob("*.py")):
        if {*path.relative_to(library).parts} & LEFT_OUT:
            continue
        try:
            source = path.read_text(encoding="utf-8")
            found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        except (UnicodeDecodeError, SyntaxError):
            continue
        # Files with a licence of their own are left out.
        if "copyright" not in source.lower():
            lines = source.splitlines()
            texts = (textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])) for node in found)
            yield from ({"text": text} for text in texts if len(text) <= LONGEST)
