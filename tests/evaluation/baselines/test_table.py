from __future__ import annotations

import pytest

from components.deployment import config
from components.evaluation.baselines.table import BASELINES, FURTHER, TO_BEAT
from components.tasks.kinds import KINDS, task_kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_has_a_baseline_to_beat(kind: str) -> None:
    task = task_kind(kind)
    assert TO_BEAT[task.head, task.output.kind] in BASELINES


def test_the_parameters_name_the_baselines_that_may_stand_beside_a_model() -> None:
    assert tuple(FURTHER) == config.FURTHER
