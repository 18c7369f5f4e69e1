"""What the gates of a release said, as a page that the model's own page leads to."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from components.evaluation.page import section, table, write_html
from flows.releasing.gates import Outcome


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
