import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from components.training import ranks

CPU = torch.device("cpu")

MEETING = """
import torch
from torch import distributed
from components.training import ranks

distributed.init_process_group("gloo")
me, cpu = ranks.rank(), torch.device("cpu")
assert ranks.world_size() == 2
assert ranks.is_rank_zero() == (me == 0)
assert not ranks.any_rank(False, cpu)
assert ranks.any_rank(True, cpu)
assert ranks.any_rank(me == 0, cpu) and ranks.any_rank(me == 1, cpu)
if not torch.cuda.is_available():
    assert ranks.rank_zero_says(me == 0) and not ranks.rank_zero_says(me == 1)

mine = torch.tensor([1.0, 10.0]) * (me + 1)
assert ranks.all_reduce_sum(mine).tolist() == [3.0, 30.0]
assert mine.tolist() == [me + 1.0, 10.0 * (me + 1)]

for lengths in ((3, 5), (5, 3), (0, 2), (2, 0), (0, 0), (4, 4)):
    for shape, dtype in (((), torch.float32), ((2,), torch.int64)):
        wanted = [torch.full((length, *shape), rank + 7, dtype=dtype) for rank, length in enumerate(lengths)]
        found = ranks.all_gather_ragged(wanted[me])
        assert len(found) == 2
        for tensor, expected in zip(found, wanted):
            assert tensor.dtype == dtype and torch.equal(tensor, expected), (lengths, found)
distributed.destroy_process_group()
print("met", me)
"""


@pytest.fixture
def no_ranks(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_process_alone_is_rank_zero_and_its_collectives_return_their_input(no_ranks: pytest.MonkeyPatch) -> None:
    assert ranks.rank() == 0
    assert ranks.world_size() == 1
    assert ranks.is_rank_zero()
    assert ranks.any_rank(True, CPU)
    assert not ranks.any_rank(False, CPU)
    assert ranks.rank_zero_says(True)
    assert not ranks.rank_zero_says(False)
    values = torch.ones(3)
    assert torch.equal(ranks.all_reduce_sum(values), values)
    assert torch.equal(ranks.all_gather_ragged(values)[0], values)


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({"LOCAL_RANK": "3"}, 3),
        ({"SLURM_PROCID": "5", "LOCAL_RANK": "1"}, 5),
        ({"RANK": "6", "SLURM_PROCID": "5", "LOCAL_RANK": "2"}, 6),
        ({"RANK": "0", "LOCAL_RANK": "2"}, 0),
    ],
)
def test_the_launchers_variables_name_the_rank_before_the_ranks_have_met(
    no_ranks: pytest.MonkeyPatch, variables: dict[str, str], rank: int
) -> None:
    for name, value in variables.items():
        no_ranks.setenv(name, value)
    assert ranks.rank() == rank
    assert ranks.is_rank_zero() == (rank == 0)
    assert ranks.world_size() == 1


def test_two_processes_agree_sum_and_gather(root: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MEETING],
            cwd=root,
            env=os.environ | shared | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=240)[0] for process in processes]
    for rank, process in enumerate(processes):
        assert process.returncode == 0, told[rank]
        assert f"met {rank}" in told[rank]
