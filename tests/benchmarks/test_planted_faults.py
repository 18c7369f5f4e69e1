from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks.planted_faults import judge, table
from components.params import Params
from tests.deployment.planted_faults import CLASSIFIER, Fault, nothing
from tests.small_ladder import Ladder


def test_a_fault_is_right_when_it_is_put_down_to_its_part(ladder: Ladder, params: Params, tmp_path: Path) -> None:
    whole = judge(Fault(nothing, "", ""), ladder, params, tmp_path / "whole")
    found = judge(CLASSIFIER["two labels swapped"], ladder, params, tmp_path / "found")
    mistaken = judge(
        Fault(CLASSIFIER["two labels swapped"].plant, "tokenizer", ""), ladder, params, tmp_path / "mistaken"
    )
    assert [one.right for one in (whole, found, mistaken)] == [True, True, False]
    console = Console(width=160)
    with console.capture() as shown:
        console.print(table({"a": whole, "b": found, "c": mistaken}))
    assert "number 0 is called 'field', in the checkpoint 'city'" in shown.get()
    assert "NO" in shown.get()
