"""The files of this project that a stage imports, late imports included, found in the source text itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from components.modeling.config import OBJECTIVES
from components.modeling.kinds import ARCHITECTURES
from components.tasks.kinds import KINDS
from components.training.config import ADAPTERS, FEATURES, LOSSES, TARGETS

ROOT = Path(__file__).parent.parent
NO_RESULT_CODE = {
    "components/__main__.py": "asks who does the work",
    "components/forkserver/__init__.py": "where the work is done",
    "components/forkserver/client.py": "where the work is done",
    "components/stage_process.py": "reads the command line",
    "components/declared.py": "reads dvc.yaml",
    "components/errors.py": "messages",
    "components/inputs.py": "looks whether something changed",
    "components/lease.py": "who may work",
    "components/orphans.py": "who goes on working",
    "components/replacing.py": "how a file of state takes its place",
    "components/libraries.py": "looks whether something changed",
    "components/machine.py": "names the machine, for MLflow",
    "components/resource_usage.py": "seconds and bytes, for MLflow",
    "components/params.py": "checks the values, which DVC compares itself",
    "components/sections.py": "checks the values, which DVC compares itself",
    "components/analysis/config.py": "checks the values, which DVC compares itself",
    "components/corpus/config.py": "checks the values, which DVC compares itself",
    "components/deployment/config.py": "checks the values, which DVC compares itself",
    "components/modeling/config.py": "checks the values, which DVC compares itself",
    "components/tasks/config.py": "checks the values, which DVC compares itself",
    "components/tokenization/config.py": "checks the values, which DVC compares itself",
    "components/training/config.py": "checks the values, which DVC compares itself",
    "components/run.py": "what a stage may say",
    "components/stages.py": "names the functions",
    "components/starts.py": "finds a folder, whose content counts",
    "components/staging.py": "puts a folder in its place, or refuses",
    "components/tracking/__init__.py": "tells MLflow",
    "components/variables.py": "how a stage works here, never what it computes",
    "components/validation/__init__.py": "turns telemetry off",
    "components/runtime/manifest.py": "refuses a bundle, or lets it be",
    "components/corpus/charset.py": "names an encoding in a message",
    "components/corpus/compression.py": "unpacks a file in the one way there is, or refuses it",
    "components/corpus/unversioned.py": "refuses data or lets them be",
    "components/training/figures.py": "pictures for MLflow",
    "components/modeling/kinds.py": "names files: a stage depends on those that params.yaml chooses",
    "components/tasks/kinds.py": "names files: a stage depends on that of its task's kind",
}
"""Code that changes no output of a stage, and why: no stage names it, none runs again for it."""
CHOICES = {
    "components.modeling.adapters": tuple(ADAPTERS),
    "components.training.losses": tuple(LOSSES),
    "components.training.targets": tuple(TARGETS),
    "components.modeling.architectures": ARCHITECTURES,
    "components.modeling.objectives": tuple(OBJECTIVES),
    "components.tasks": tuple(KINDS),
    "components.training.features": tuple(FEATURES),
}
"""Package -> its modules of which params.yaml chooses one; dvc.yaml names that one by interpolation."""
TABLES = frozenset({"components/modeling/kinds.py", "components/tasks/kinds.py"})
_MODULE = re.compile(r"(components(?:\.\w+)+)(?::\w+)?")


def imported_code(first: Path, excluded: Collection[str]) -> dict[str, set[str]]:
    """File -> the other packages it imports, of a file and of all that it leads to; paths from the project's root.

    What is `excluded` is not followed either, but for tables: what they name counts.
    """
    found: dict[str, set[str]] = {}
    waiting, seen = [first.relative_to(ROOT).as_posix()], set()
    while waiting:
        path = waiting.pop()
        if path in seen or path in {*excluded} - TABLES:
            continue
        seen.add(path)
        waiting += [file for name in _imports(path) for file in _files(name)]
        if path not in excluded:
            found[path] = {name.partition(".")[0] for name in _imports(path) if not name.startswith("components")}
    return found


@cache
def _imports(path: str) -> frozenset[str]:
    """The modules that a file imports, every one of which it may choose; those for type checking alone left out."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset([*_names(tree), *_choices(tree, path.rpartition("/")[0].replace("/", "."))])


def _choices(tree: ast.AST, package: str) -> Iterator[str]:
    """The modules that import_module(f"PACKAGE.{name}") may import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module" and len(node.args) == 1:
            chosen = re.fullmatch(r"f['\"](.+)\.\{\w+\}['\"]", ast.unparse(node.args[0]))
            if chosen:
                chosen_from = chosen[1].replace("{__package__}", package)
                yield from (f"{chosen_from}.{name}" for name in CHOICES[chosen_from])


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and (named := _MODULE.fullmatch(node.value)):
        yield named[1]  # for import_module
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _files(name: str) -> Iterator[str]:
    """The project's files that hold a module, or a name imported from one, and the packages around it."""
    module = name
    while module.startswith("components."):
        for path in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
            if (ROOT / path).is_file() and _does_something(path):
                yield path
        module = module.rpartition(".")[0]


@cache
def _does_something(path: str) -> bool:
    """False of a package's file that is empty, or a docstring alone."""
    return any(not isinstance(line, ast.Expr) for line in ast.parse((ROOT / path).read_text(encoding="utf-8")).body)
