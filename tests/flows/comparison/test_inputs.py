"""flows.comparison.inputs: what differs between what results were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.tracking.inputs import given
from flows.comparison.inputs import SAME, Differences, configurations, differences
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
    found = differences([lock(data[0], "a", 0.1), lock(data[1], "b", 0.2, "3")], recorded)
    assert found == Differences(
        parameters={"finetune.rate": (0.1, 0.2)},
        libraries={"numpy": ("2", "3")},
        code={"components/train.py": ("changed",)},
        data={"data/more.txt": ("new",), "data/rows.txt": ("1 lines added, 0 removed, the first at line 2",)},
    )


def test_each_of_several_results_is_told_beside_the_first(tmp_path: Path) -> None:
    locks = [lock("d.dir", "a", 0.1), lock("d.dir", "b", 0.2), lock("d.dir", "a", 0.3)]
    found = differences(locks, Recorded(tmp_path, lambda _: None))
    assert found.parameters == {"finetune.rate": (0.1, 0.2, 0.3)}
    assert found.code == {"components/train.py": ("changed", SAME)}


def test_what_a_stage_reads_of_a_folder_that_another_makes_is_no_input() -> None:
    made = {"curate": {"deps": [{"path": "data"}], "outs": [{"path": "artifacts/tasks"}]}}
    read = {"finetune": {"deps": [{"path": "artifacts/tasks/topic"}, {"path": "components/train.py"}]}}
    assert given(made | read) == {"curate": [{"path": "data"}], "finetune": [{"path": "components/train.py"}]}


def test_equal_inputs_differ_in_nothing(tmp_path: Path) -> None:
    same = lock("d.dir", "a", 0.1)
    assert differences([same, same], Recorded(tmp_path, lambda _: None)) == Differences({}, {}, {}, {})


def test_results_that_differ_in_their_seed_alone_are_of_one_configuration() -> None:
    def seeded(seed: int, rate: float = 0.1) -> dict[str, Any]:
        made = lock("d.dir", "a", rate)
        made["train"]["params"]["params.yaml"]["seed"] = seed
        return made

    assert configurations({"a": seeded(1), "b": seeded(1, rate=0.2), "c": seeded(2)}) == [["a", "c"], ["b"]]
