"""Prints a plan, and the outcomes of earlier plans, as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cli.outcomes import Outcome, read_outcomes
from cli.planner import Prediction, make_plan
from flows.settings import project_root

_SHOWN = 20
_WIDE = 100
"""The width of a terminal for all columns; --json always has all."""


@click.command("plan")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Plan a what-if; params.yaml stays as it is."
)
@click.option(
    "--price-per-hour", type=click.FloatRange(min=0), help="Price of this machine, in any currency: shows the cost."
)
@click.option("--watts", type=click.FloatRange(min=0), help="Power of this machine under load: shows the energy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; sizes in bytes.")
@click.option("--outcomes", is_flag=True, help="Make no plan: show earlier plans with their outcomes.")
def command(
    settings: tuple[str, ...], price_per_hour: float | None, watts: float | None, as_json: bool, outcomes: bool
) -> None:
    """Say what each stage will take on this machine, by trying a few steps; refuse what will not fit."""
    root = project_root()
    if outcomes:
        show_outcomes()
    else:
        show_plan(root, settings, price_per_hour, watts, as_json)


def show_plan(
    root: Path, settings: tuple[str, ...], price_per_hour: float | None, watts: float | None, as_json: bool
) -> None:
    """Make a plan and print it; progress goes to standard error."""
    progress = Console(stderr=True, highlight=False)
    predictions = make_plan(root, settings, lambda line: progress.print(line, markup=False))
    total = totals(predictions, price_per_hour, watts)
    if as_json:
        print(json.dumps({"stages": {found.stage: _fields(found) for found in predictions}, "total": total}, indent=2))
        return
    console = Console(highlight=False)
    if all(found.fresh for found in predictions):
        console.print("Nothing to do: every stage is fresh.")
        return
    console.print(plan_table(predictions, total, console.width >= _WIDE))
    for line in remarks(predictions, total):
        console.print(line, markup=False)


def show_outcomes() -> None:
    """Print the outcomes of the last plans."""
    outcomes = [outcome for outcome in read_outcomes() if outcome.predicted]
    console = Console(highlight=False)
    if outcomes:
        console.print(outcomes_table(outcomes))
    else:
        console.print("No stage has run under a plan yet: `lianzi plan`, then `lianzi run`.")


def totals(predictions: list[Prediction], price_per_hour: float | None, watts: float | None) -> dict[str, float]:
    """Sums over the stages that will run: seconds in sequence; memory of the largest; disk of all. Cost and energy only
    where a price or a power is given.
    """
    seconds = sum(found.seconds or 0.0 for found in predictions)
    result: dict[str, float] = {
        "flops": sum(found.flops or 0.0 for found in predictions),
        "tokens": sum(found.tokens or 0 for found in predictions),
        "seconds": seconds,
        "memory": max((found.memory or 0.0 for found in predictions), default=0.0),
        "disk": sum(found.disk or 0.0 for found in predictions),
        "unknown": sum(not found.fresh and found.seconds is None for found in predictions),
    }
    if price_per_hour is not None:
        result["cost"] = seconds / 3600 * price_per_hour
    if watts is not None:
        result["kilowatt_hours"] = seconds / 3600 * watts / 1000
    return result


def plan_table(predictions: list[Prediction], total: dict[str, float], wide: bool) -> Table:
    """One row for each stage, and the total; parameters and FLOPs only on a `wide` terminal."""
    counted = ("parameters", "tokens", "FLOPs") if wide else ("tokens",)
    shown = _table("stage", *counted, "seconds", "memory", "disk", "", left=("stage", ""))

    def counts(parameters: float | None, tokens: float | None, flops: float | None) -> list[str]:
        told = {"parameters": _count(parameters), "tokens": _count(tokens), "FLOPs": _count(flops)}
        return [told[name] for name in counted]

    for found in predictions:
        if found.fresh:
            shown.add_row(found.stage, *[""] * (len(counted) + 3), "[green]fresh[/]")
            continue
        memory = found.memory if found.gpu_memory is None else found.gpu_memory
        shown.add_row(
            found.stage,
            *counts(found.parameters, found.tokens, found.flops),
            "?" if found.seconds is None else f"{found.seconds:,.0f}",
            _size(memory),
            _size(found.disk),
            found.note + ("" if found.gpu_memory is None else f"; {_size(found.memory)} beside the GPU's"),
        )
    shown.add_row(
        "[bold]total[/]",
        *counts(None, total["tokens"], total["flops"]),
        f"{total['seconds']:,.0f}",
        _size(total["memory"]),
        _size(total["disk"]),
        "",
    )
    return shown


def remarks(predictions: list[Prediction], total: dict[str, float]) -> list[str]:
    """Explanations of the words in the table, and cost and energy."""
    lines = ["Total: one stage after the other, the memory of the largest."]
    if total["unknown"]:
        lines.append(f"Not in the total: {total['unknown']:.0f} stages that have not run here yet.")
    if any("at most" in found.note for found in predictions):
        lines.append("At most: early stopping may end it sooner.")
    if made_up := sorted({name for found in predictions for name in found.made_up}):
        lines.append(f"Not there yet, so made up in the configured shapes to measure with: {', '.join(made_up)}.")
    if "cost" in total:
        lines.append(f"Cost: {total['cost']:,.2f}")
    if "kilowatt_hours" in total:
        lines.append(f"Energy: {total['kilowatt_hours']:,.3f} kWh")
    return lines


def outcomes_table(outcomes: list[Outcome]) -> Table:
    """Predicted and real values, and their ratio, for the last stages that ran under a plan."""
    shown = _table("stage", "seconds: plan", "real", "ratio", "MB: plan", "real", "ratio", left=("stage",))
    for outcome in outcomes[:_SHOWN]:
        cells: list[str] = []
        for name in ("seconds", "peak_memory_megabytes"):
            planned, real = outcome.predicted.get(name), outcome.took.get(name)
            ratio = f"{planned / real:.2f}" if planned and real else ""
            cells += ["" if value is None else f"{value:,.0f}" for value in (planned, real)] + [ratio]
        shown.add_row(outcome.stage, *cells)
    return shown


def _fields(found: Prediction) -> dict[str, Any]:
    return {name: value for name, value in vars(found).items() if name != "stage"}


def _table(*headings: str, left: tuple[str, ...]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in headings:
        justify: Any = "left" if heading in left else "right"
        shown.add_column(heading, justify=justify, no_wrap=heading != "")
    return shown


def _count(value: float | None) -> str:
    """1234567 -> 1.23 M."""
    if value is None:
        return ""
    for unit, name in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f}"


def _size(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value / 1e9:,.1f} GB" if value >= 1e9 else f"{value / 1e6:,.0f} MB"
