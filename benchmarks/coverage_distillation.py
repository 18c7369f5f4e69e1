"""The table of benchmarks.coverage that tells what a student of which kind of task learns by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.coverage_adaptation import HARDLY, Adapting
from benchmarks.coverage_proofs import Cell, check, goes_on_after_a_kill, overfits
from benchmarks.coverage_tasks import MODEL_OF, NAME, TaskTraining, is_verified_and_asked, proven
from components.run import RecordedRun
from components.tasks.kinds import KINDS

RELATIONS = ["query-query", "key-key", "value-value"]
STUDENTS: dict[str, dict[str, Any]] = {
    "attention_relations": {
        "distill.features": {"name": "attention_relations", "weight": 1.0, "relations": RELATIONS, "heads": 2}
    },
    "sequence_level": {
        "distill.targets": {"name": "sequence_level", "beams": 2},
        "finetune.epochs": 8,  # until a teacher ends its answers
        "finetune.patience": 8,
    },
}
"""Name of a column -> parameters that it changes."""
HALF = {"distill.depth_fraction": 0.5, "distill.max_loss": 1.0, "distill.count_words": False}
"""Of its teacher's layers, whatever it loses: a few steps teach little."""


@dataclass(frozen=True)
class Distilling(TaskTraining):
    """The stage distill, of a teacher in the folder."""

    def run(self, name: str, store: str, run: Any) -> Any:
        """The stage; its student in a folder of this name. Returns its metrics."""
        from components.training.distill import distill
        from components.training.store import CheckpointStore

        params = self.params
        place = self.folder / "rows", self.folder / "teacher", self.folder / name
        checkpoints = CheckpointStore(self.folder / store)
        return distill(params.distill, self.task, NAME, params.trainer, 7, *place, checkpoints, run)


def student_cell(folder: Path, kind: str, student: str) -> Cell:
    """Proofs of a way of teaching on a kind of task."""
    from tests.small_artifacts import small_tokenizer
    from tests.small_kinds import ROW_OF, small_rows
    from tests.small_tuning import pretrained_folder

    pretrained_folder(folder / "pretrained", small_tokenizer(folder / "tokenizer"), MODEL_OF[KINDS[kind].head], depth=2)
    small_rows(folder / "rows", kind, ROW_OF[kind])
    proofs = (trains, overfits_one_batch, goes_on_after_a_kill, is_verified_and_asked)
    return proven(Distilling(folder, kind, HALF | STUDENTS[student]), proofs)


def trains(distilling: Distilling) -> None:
    """A teacher, and some steps of its student, uninterrupted."""
    adapting, run = Adapting(distilling.folder, distilling.kind, distilling.changes), RecordedRun()
    adapting.run("teacher", "store of the teacher", RecordedRun())
    metrics = distilling.run("whole", "store of the whole", run)
    check(not metrics["teacher_goes_on"], "no student was kept")
    check(not any("the teacher answered 0 of" in line for line in run.lines), "the teacher wrote no answer")


def overfits_one_batch(distilling: Distilling) -> None:
    """The same batch again and again, by the project's own optimizer."""
    import torch

    from components.modeling.checkpoints import load_tokenizer
    from components.modeling.heads import HEADS
    from components.modeling.loading import load_model
    from components.modeling.students import sizes
    from components.tasks.rows import EVERY_ROW
    from components.training.distillation import DistillationObjective
    from components.training.features import build_features
    from components.training.features.feature import Imitated
    from components.training.optimizers import OPTIMIZERS
    from components.training.school import School
    from components.training.store import CheckpointStore
    from components.training.targets import answered
    from components.training.task_data import TaskData
    from components.training.task_objective import task_objective

    torch.manual_seed(1)
    params, rows, teacher = distilling.params, distilling.folder / "rows", distilling.folder / "teacher"
    config, store, run = params.distill, CheckpointStore(distilling.folder / "store of a batch"), RecordedRun()
    data = TaskData.read(rows, distilling.task, load_tokenizer(teacher))
    guide = load_model(HEADS[data.task.head], teacher).model.eval()
    data, _ = answered(guide, data, config, rows, EVERY_ROW, store.folder, NAME, run)
    given = rows, EVERY_ROW, teacher, guide, data, None, store, run
    size = sizes(guide.config, config)[0]
    student, kept = School(config, distilling.task, NAME, params.trainer, 7, *given).beginner(size)
    features = build_features(config.features, guide, student, Imitated(size.layers.imitated, kept.channels))
    objective = DistillationObjective(guide, features, config, task_objective(data))
    batch = data.batch(data.train, range(4))
    batch |= {"clean_ids": batch["input_ids"]}
    optimizer = OPTIMIZERS["adamw"](student, config)
    overfits(optimizer, lambda: objective.loss(student, batch), HARDLY)
