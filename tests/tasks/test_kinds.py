from typing import get_args

from components.params import TaskConfig
from components.tasks.kinds import TASK_KINDS


def test_every_kind_that_params_allow_has_its_entry() -> None:
    assert set(get_args(TaskConfig.model_fields["kind"].annotation)) == set(TASK_KINDS)
