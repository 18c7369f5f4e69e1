"""The table of task kinds: `tasks.NAME.kind` in params.yaml -> how such a task is read, learned and measured."""

from __future__ import annotations

from components.tasks.classification import Classification

TASK_KINDS: dict[str, type[Classification]] = {"classification": Classification}
