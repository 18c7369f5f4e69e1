"""Settings of one run: params.yaml has them while it runs, and is then as it was before.

They are applied in place, not in a work tree: a run reads data, code and checkpoints that no commit may have, and its
results belong where those of any run lie. A journal beside the run brings params.yaml back where the process was
killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.errors import LianziError, ParameterError
from components.params import flatten, read_yaml
from components.replacing import replace_text
from flows.inputs import note_inputs
from flows.settings import changed_params, changed_project, set_values

JOURNAL = Path(".lianzi/overridden.json")
PARAMS = "params.yaml"


@contextmanager
def prepared(folder: Path, settings: Sequence[str]) -> Iterator[None]:
    """params.yaml with the run's settings, and the project's inputs noted."""
    for line in restore_params(folder):
        print(line, flush=True)
    with overridden(folder, settings) as changes:
        for line in changes or note_inputs(folder):
            print(line, flush=True)
        yield


@contextmanager
def overridden(root: Path, settings: Sequence[str]) -> Iterator[list[str]]:
    """Apply KEY=VALUE settings to params.yaml while the block runs; yields a line a change.

    Raises LianziError before the block where a value is wrong or the project is not fit to run with them.
    """
    if not settings:
        yield []
        return
    path = root / PARAMS
    before = path.read_text(encoding="utf-8")
    changes, after = changed_params(path, tuple(settings))
    # Whole before params.yaml changes: from then on it alone knows what was there, and what a person writes later.
    replace_text(root / JOURNAL, json.dumps({"before": before, "after": after}))
    try:
        replace_text(path, after)
        yield [*changes, *changed_project(root, ())[0]]
    finally:
        restore_params(root)


def restore_params(root: Path) -> list[str]:
    """Bring params.yaml back from a run with settings that was killed. Returns what was done, in a line.

    Where a person edited the file meanwhile, only the values of that run are taken back. Raises ParameterError where
    the journal cannot be read.
    """
    journal, path = root / JOURNAL, root / PARAMS
    try:
        found = json.loads(journal.read_text(encoding="utf-8"))
        before, after = str(found["before"]), str(found["after"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise ParameterError(
            f"{JOURNAL}: damaged, so {PARAMS} may still have the settings of a run that was killed",
            f"look at `git diff {PARAMS}`, put right what is wrong, and remove {JOURNAL}",
        ) from None
    now = path.read_text(encoding="utf-8")
    if now == after:
        replace_text(path, before)
    elif now != before:
        _take_back(path, _values(before), _values(after))
    with suppress(LianziError):
        note_inputs(root)  # folders.yaml follows params.yaml
    journal.unlink()
    return [f"{PARAMS}: as it was before the run with settings"] if now != before else []


def _take_back(path: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    now = flatten(read_yaml(path))
    ours = {name: before[name] for name in before if name in after and before[name] != after[name]}
    with suppress(LianziError):
        set_values(path, {name: value for name, value in ours.items() if now.get(name) == after[name]}, True)


def _values(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return flatten(YAML(typ="safe").load(text))
