"""What the gates of a release said, as a page that the model's own page leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from components.evaluation.page import section, table, write_html
from components.registry import GATE
from flows.releasing.behaviour import LIMITS
from flows.releasing.gates import GATES, Outcome


def noted_gates(tags: Mapping[str, str]) -> tuple[Outcome, ...]:
    """What the gates said of a version when it was judged, by its tags in the registry."""
    told = {tag.removeprefix(GATE): value.partition(": ") for tag, value in tags.items() if tag.startswith(GATE)}
    names = [name for name in (*GATES, *LIMITS) if name in told]
    return tuple(Outcome(name, told[name][0] == "passed", told[name][2]) for name in dict.fromkeys([*names, *told]))


def write_gates(path: Path, name: str, line: str, gates: Sequence[Outcome]) -> None:
    """Write the verdict, and each gate with its sentence; those that refused first."""
    ordered = sorted(gates, key=lambda one: one.passed)
    rows = [(one.gate, "passed" if one.passed else "refused", one.sentence) for one in ordered]
    parts = [
        f"<h1>{escape(name)}: the release</h1>",
        f"<p>{escape(line)}.</p>",
        section("Gates", table(["gate", "verdict", "why"], rows)),
        f'<p><a href="../../model/{escape(name)}/index.html">The model</a> · '
        f'<a href="../../speed/{escape(name)}/index.html">its speed</a></p>',
    ]
    write_html(path, f"{name}: the release", parts)
