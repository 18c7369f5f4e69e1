"""flows.comparison.inputs: what differs between what two results were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.comparison.inputs import Differences, differences
from flows.reproduction.outputs import Recorded
from tests.flows.reproduction.test_outputs import folder


def lock(data: str, code: str, rate: float, numpy: str = "2") -> dict[str, Any]:
    """A stage of one output, and one that needs it."""
    return {
        "train": {
            "deps": [{"path": "data", "md5": data}, {"path": "components/train.py", "md5": code}],
            "params": {"params.yaml": {"finetune": {"rate": rate}}, "libraries.yaml": {"numpy": numpy}},
            "outs": [{"path": "artifacts/model", "md5": code + str(rate)}],
        },
        "test": {"deps": [{"path": "artifacts/model", "md5": code + str(rate)}]},
    }


def test_only_what_differs_is_told_each_by_its_sort(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, lambda _: None)
    data = [folder(tmp_path, rows=b"one\n"), folder(tmp_path, rows=b"one\ntwo\n", more=b"3\n")]
    found = differences(lock(data[0], "a", 0.1), lock(data[1], "b", 0.2, "3"), recorded)
    assert found == Differences(
        parameters={"finetune.rate": (0.1, 0.2)},
        libraries={"numpy": ("2", "3")},
        code={"components/train.py": "changed"},
        data={"data/more.txt": "new", "data/rows.txt": "1 lines added, 0 removed, the first at line 2"},
    )


def test_equal_inputs_differ_in_nothing(tmp_path: Path) -> None:
    same = lock("d.dir", "a", 0.1)
    assert differences(same, same, Recorded(tmp_path, lambda _: None)) == Differences({}, {}, {}, {})
