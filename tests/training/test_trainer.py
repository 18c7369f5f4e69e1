import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy

from components.errors import ParameterError
from components.params import Params
from components.training.trainer import QUIET, _quiet, lightning_precision, lightning_strategy, prepare_libraries


def test_auto_is_bf16_only_where_the_processor_multiplies_in_it() -> None:
    features = torch.cpu.get_capabilities()
    fast = torch.cuda.is_available() or features.get("avx512_bf16") or features.get("amx_bf16")
    assert lightning_precision("auto") == ("bf16-mixed" if fast else "32-true")
    assert lightning_precision("fp32") == "32-true"
    assert lightning_precision("bf16") == "bf16-mixed"


def test_threads_and_determinism_are_set() -> None:
    prepare_libraries(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


MANY_SHAPES = """
import psutil, torch
from components.training.trainer import prepare_libraries

prepare_libraries(1)
weight = torch.randn(64, 64, requires_grad=True)

def memory_after(shapes):
    for rows in shapes:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.functional.linear(torch.randn(rows, 64, requires_grad=True), weight).float().sum().backward()
    return psutil.Process().memory_info().rss

before = memory_after(range(100, 200))
print((memory_after(range(200, 500)) - before) / 1e6)
"""


def test_memory_does_not_grow_with_every_new_shape_of_a_batch(root: Path) -> None:
    """What libraries compile for a shape is freed again: it would be hundreds of megabytes here."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("CACHE_CAPACITY")}
    told = subprocess.check_output([sys.executable, "-c", MANY_SHAPES], cwd=root, env=kept, text=True)
    assert float(told) < 50


def test_several_devices_have_a_strategy(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    trainer = params.trainer
    assert lightning_strategy(trainer) == "auto"
    assert isinstance(lightning_strategy(trainer.model_copy(update={"devices": 2})), DDPStrategy)
    divided = trainer.model_copy(update={"devices": 2, "strategy": "fsdp"})
    assert isinstance(lightning_strategy(divided), ModelParallelStrategy)


def test_more_devices_than_there_are_are_refused(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParameterError, match=r"devices 2: this machine has 1"):
        lightning_strategy(params.trainer.model_copy(update={"devices": 2}))


def test_lightning_is_quiet_while_it_trains_and_as_before_afterwards() -> None:
    loggers = [logging.getLogger(name) for name in QUIET]
    before = [logger.level for logger in loggers]
    with _quiet():
        assert {logger.level for logger in loggers} == {logging.ERROR}
    assert [logger.level for logger in loggers] == before
