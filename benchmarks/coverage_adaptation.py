"""The table of benchmarks.coverage that tells which adaptation goes with which kind of task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.coverage_proofs import OVERFITTED, Cell, goes_on_after_a_kill, overfits
from benchmarks.coverage_tasks import MODEL_OF, NAME, TaskTraining, is_verified_and_asked, proven
from components.run import RecordedRun
from components.tasks.kinds import KINDS

HARDLY = 0.9
"""OVERFITTED with an adapter: what it leaves as it is was pretrained on nothing here."""
LORA = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.0, "targets": None}
DPO = {"finetune.loss": {"name": "dpo", "beta": 0.1}, "finetune.dropout": 0.0}
ADAPTATIONS: dict[str, dict[str, Any]] = {
    "full": {"finetune.adapter": {"name": "full"}},
    "layer_decay": {"finetune.layer_decay": 0.8},
    "lora": {"finetune.adapter": LORA},
    "frozen": {"finetune.adapter": {"name": "frozen"}},
    "dpo": DPO,
    "dpo_lora": {**DPO, "finetune.adapter": LORA},
}
"""Name of a column -> parameters that it changes."""


@dataclass(frozen=True)
class Adapting(TaskTraining):
    """The stage finetune, of a pretrained model in the folder."""

    def run(self, name: str, store: str, run: Any) -> None:
        """The stage; its teacher in a folder of this name."""
        from components.training.finetune import finetune
        from components.training.store import CheckpointStore

        params = self.params
        place = self.folder / "rows", self.folder / "pretrained", self.folder / name
        checkpoints = CheckpointStore(self.folder / store)
        finetune(params.finetune, self.task, NAME, params.trainer, 7, *place, checkpoints, run)


def adaptation_cell(folder: Path, kind: str, adaptation: str) -> Cell:
    """Proofs of an adaptation on a kind of task."""
    from tests.small_artifacts import small_tokenizer
    from tests.small_kinds import ROW_OF, preferred, small_rows
    from tests.small_tuning import pretrained_folder

    changes = ADAPTATIONS[adaptation]
    pretrained_folder(folder / "pretrained", small_tokenizer(folder / "tokenizer"), MODEL_OF[KINDS[kind].head])
    pairs = kind == "generation" and "finetune.loss" in changes
    small_rows(folder / "rows", kind, preferred if pairs else ROW_OF[kind])
    proofs = (trains, overfits_one_batch, goes_on_after_a_kill, is_verified_and_asked)
    return proven(Adapting(folder, kind, changes), proofs)


def trains(adapting: Adapting) -> None:
    """Some steps, uninterrupted."""
    adapting.run("whole", "store of the whole", RecordedRun())


def overfits_one_batch(adapting: Adapting) -> None:
    """The same batch again and again, by the project's own optimizer."""
    import torch

    from components.modeling.adapters import adapt
    from components.modeling.checkpoints import load_classifier, load_tokenizer
    from components.tasks.rows import EVERY_ROW
    from components.training.losses import learning
    from components.training.optimizers import OPTIMIZERS
    from components.training.task_data import TaskData

    torch.manual_seed(1)
    rows, pretrained = adapting.folder / "rows", adapting.folder / "pretrained"
    data = TaskData.read(rows, adapting.task, load_tokenizer(pretrained))
    model = load_classifier(pretrained, data.task.labels, 0.0, data.task.head).model
    config = adapting.params.finetune.model_copy(update={"learning_rate": 1e-2, "label_smoothing": 0.0})
    data, objective = learning(model, data, config, rows, EVERY_ROW)
    adapt(model, config.adapter, data.task.head)
    optimizer = OPTIMIZERS["adamw"](model, config)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * group.get("rate_factor", 1.0)
    batch = data.batch(data.train, range(4))
    wanted = OVERFITTED if config.adapter.name == "full" else HARDLY
    overfits(optimizer, lambda: objective.loss(model, batch), wanted)
