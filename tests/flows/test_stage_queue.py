"""flows.stage_queue: which stage begins next."""

from __future__ import annotations

import threading
import time

import pytest

from flows.stage_queue import StageQueue, chains

NEEDS = {
    "pretrain": (),
    "control": ("pretrain",),
    "finetune": ("pretrain",),
    "distill": ("finetune",),
    "evaluate": ("control", "distill"),
}


def test_a_chain_is_as_long_as_the_longest_way_to_the_end() -> None:
    assert chains(NEEDS) == {"pretrain": 4, "control": 2, "finetune": 3, "distill": 2, "evaluate": 1}


def began(queue: StageQueue, names: list[str], seconds: float = 0.0) -> list[str]:
    """The order in which stages begin that ask one after the other, each as soon as it may."""
    order: list[str] = []

    def run(name: str) -> None:
        with queue.place(name):
            order.append(name)
            time.sleep(0.05)
        queue.done(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
        time.sleep(seconds)
    for thread in threads:
        thread.join(20)
    return order


def test_the_longest_chain_goes_first_whoever_asks_first() -> None:
    queue = StageQueue(1)
    queue.expect(NEEDS)
    with queue.place("pretrain"):
        pass
    queue.done("pretrain")
    assert began(queue, ["control", "finetune"], 0.2) == ["finetune", "control"]


def test_so_many_stages_run_at_a_time() -> None:
    queue, running, most = StageQueue(2), [0], [0]
    lock = threading.Lock()

    def run(name: str) -> None:
        with queue.place(name):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.05)
            with lock:
                running[0] -= 1

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [2]


def test_a_place_is_not_kept_for_long_for_one_that_does_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.stage_queue.LATE_SECONDS", 0.2)
    queue = StageQueue(1)
    queue.expect({"finetune": (), "distill": ("finetune",), "control": ()})
    assert began(queue, ["control"]) == ["control"]


def test_none_is_kept_for_a_training_that_a_work_pool_carries_out() -> None:
    queue = StageQueue(1)
    queue.expect({"finetune": (), "distill": ("finetune",), "control": ()}, aside=("finetune", "distill"))
    started = time.monotonic()
    assert began(queue, ["control"]) == ["control"]
    assert time.monotonic() - started < 2


def test_one_that_failed_may_ask_again() -> None:
    queue = StageQueue(1)
    queue.expect({"finetune": ()})
    assert began(queue, ["finetune"]) + began(queue, ["finetune"]) == ["finetune", "finetune"]
