"""The files of this project that a stage imports, late imports included, found in the source text itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_MODULE = re.compile(r"components(\.\w+)+")


def imported_code(first: Path, excluded: Collection[str]) -> dict[str, set[str]]:
    """File -> the other packages it imports, of a file and of all that it leads to; paths from the project's root.

    What is `excluded` is not followed either.
    """
    found: dict[str, set[str]] = {}
    waiting = [first.relative_to(ROOT).as_posix()]
    while waiting:
        path = waiting.pop()
        if path in found or path in excluded:
            continue
        own = [_file(name) for name in _imports(path)]
        waiting += [file for file in own if file]
        found[path] = {name.partition(".")[0] for name in _imports(path) if not name.startswith("components")}
    return found


@cache
def _imports(path: str) -> frozenset[str]:
    """The modules that a file imports; those for type checking alone left out."""
    return frozenset(_names(ast.parse((ROOT / path).read_text(encoding="utf-8"))))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE.fullmatch(node.value):
        yield node.value  # for import_module
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _file(name: str) -> str | None:
    """The project's file that holds a module, or a name imported from one; packages' own files are empty."""
    for module in (name, name.rpartition(".")[0]):
        path = f"{module.replace('.', '/')}.py"
        if module.startswith("components.") and (ROOT / path).is_file():
            return path
    return None
