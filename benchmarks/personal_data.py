"""What is found of personal data, and what is taken for it: `python -m benchmarks.personal_data`, a few seconds.

benchmarks/personal_data.jsonl holds small cases in English and Chinese, written for this, every number invented: one
with a `kind` has that `value` in it, which has to give way to the placeholder while all else stays; one without, of
versions, decimals, money, orders, hashes, code and more, has to stay as it is. The peer is datatrove's PIIFormatter.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.corpus.personal_data import KINDS, scrubbed
from components.machine import machine, versions

CASES = Path(__file__).with_suffix(".jsonl")
PEERS = {"email": "<EMAIL>", "ip_address": "<IP>"}
"""The kinds that datatrove knows, and what it is told to put there."""


@dataclass(frozen=True)
class Case:
    """A text; `kind` is empty where nothing personal stands in it, and `about` says what does."""

    text: str
    language: str
    kind: str = ""
    value: str = ""
    about: str = ""


@dataclass(frozen=True)
class Score:
    """Of one kind: how many cases have it and how many were scrubbed of it and of nothing else; how many have it not,
    and how many of those were scrubbed of it all the same."""

    having: int
    found: int
    free: int
    alarms: int

    @property
    def recall(self) -> float:
        return self.found / self.having

    @property
    def alarm_share(self) -> float:
        return self.alarms / self.free


def main() -> int:
    """Measure, print and write benchmarks/results/personal_data.json."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    cases = read_cases()
    found = {"ours": scores(cases, clean), "datatrove": scores(cases, datatrove())}
    shown = Table(title=f"{len(cases)} cases", title_justify="left", box=None, pad_edge=False)
    for heading in ("kind", "cases", "recall", "false alarms", "datatrove: recall", "false alarms"):
        shown.add_column(heading, justify="left" if heading == "kind" else "right")
    for kind, ours in found["ours"].items():
        peer = found["datatrove"][kind]
        theirs = (f"{peer.recall:.3f}", f"{peer.alarm_share:.2%}") if kind in PEERS else ("", "")
        shown.add_row(kind, f"{ours.having}", f"{ours.recall:.3f}", f"{ours.alarm_share:.2%}", *theirs)
    Console(highlight=False).print(shown)
    content = {name: {kind: row(score) for kind, score in table.items()} for name, table in found.items()}
    content["datatrove"] = {kind: content["datatrove"][kind] for kind in PEERS}
    write_json(
        RESULTS / "personal_data.json",
        {"cases": len(cases), **content, "machine": machine(), "versions": versions(("datatrove",))},
    )
    return 0


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of a file, JSON lines."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Case(**{name: value or "" for name, value in fields.items()}) for fields in rows]


def clean(text: str) -> str:
    """A text as curation leaves it."""
    return scrubbed(text, KINDS)[0]


def datatrove() -> Callable[[str], str]:
    """The peer, told to put our placeholders."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter(email_replacement=(PEERS["email"],), ip_replacement=(PEERS["ip_address"],))
    return lambda text: str(formatter.format(text))


def scores(cases: Iterable[Case], change: Callable[[str], str]) -> dict[str, Score]:
    """By kind, and last over all kinds as `any`: there an alarm is any change of a text that has nothing personal."""
    results = [(case, change(case.text)) for case in cases]
    by_kind = {kind: _score(results, kind) for kind in KINDS}
    free = [out != case.text for case, out in results if not case.kind]
    having, found = (sum(getattr(score, name) for score in by_kind.values()) for name in ("having", "found"))
    return by_kind | {"any": Score(having, found, len(free), sum(free))}


def expected(case: Case) -> str:
    """What becomes of a case that is treated rightly."""
    return case.text.replace(case.value, KINDS[case.kind].placeholder) if case.kind else case.text


def row(score: Score) -> dict[str, float]:
    """A score for the record."""
    shares = {"recall": round(score.recall, 4), "alarm_share": round(score.alarm_share, 4)}
    return {"having": score.having, "found": score.found, "free": score.free, "alarms": score.alarms} | shares


def _score(results: list[tuple[Case, str]], kind: str) -> Score:
    having = [out == expected(case) for case, out in results if case.kind == kind]
    free = [KINDS[kind].placeholder in out for case, out in results if case.kind != kind]
    return Score(len(having), sum(having), len(free), sum(free))


if __name__ == "__main__":
    sys.exit(main())
