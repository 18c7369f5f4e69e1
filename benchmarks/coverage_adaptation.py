"""The table of benchmarks.coverage that tells which adaptation goes with which kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.coverage_proofs import OVERFITTED, check, goes_on_after_a_kill
from components.errors import ParameterError
from components.modeling.kinds import GENERATES
from components.run import RecordedRun
from components.tasks.kinds import KINDS

ROOT = Path(__file__).parent.parent
HARDLY = 0.9
"""The same with an adapter: what it leaves as it is was pretrained on nothing here."""
LORA = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.0, "targets": None}
MODEL_OF = {None: "modernbert", "causal_lm": "gpt2", "seq2seq_lm": "t5"}
"""Head of a kind, where not every architecture carries it -> an architecture that does."""
ADAPTATIONS: dict[str, dict[str, Any]] = {
    "full": {"adapter": {"name": "full"}},
    "layer_decay": {"layer_decay": 0.8},
    "lora": {"adapter": LORA},
    "frozen": {"adapter": {"name": "frozen"}},
}
"""Name of a column -> what it changes in the section `finetune`."""
SMALL = {"epochs": 2, "min_steps": 1, "batch_size": 32, "learning_rate": 3e-3, "threads": 1, "precision": "fp32"}
LOOSE = {"max_loss": 1.0, "min_agreement": 0.0, "min_token_agreement": 0.0, "bootstrap_samples": 100, "rows": 16}

Cell = dict[str, Any]
"""As in benchmarks.coverage."""


def kinds() -> Sequence[str]:
    """The rows of the table: kinds of which tests have rows that anyone can learn."""
    from tests.small_kinds import ROW_OF

    return list(ROW_OF)


@dataclass(frozen=True)
class Adapting:
    """Rows of a kind and a pretrained model in a folder, and the changes to `finetune`."""

    killed_at: ClassVar[int] = 5
    folder: Path
    kind: str
    changes: Mapping[str, Any]

    @property
    def params(self) -> Any:
        from components.params import load_params

        return load_params(ROOT / "params.yaml")

    @property
    def config(self) -> Any:
        from components.training.config import FinetuneConfig

        changed = {**SMALL, "without_pretraining": False, **self.changes}
        return FinetuneConfig.model_validate({**self.params.finetune.model_dump(), **changed})

    @property
    def task(self) -> Any:
        from tests.small_kinds import small_config

        return small_config(self.kind)

    def run(self, name: str, store: str, run: Any) -> None:
        """The stage finetune; its teacher in a folder of this name."""
        from components.training.finetune import finetune
        from components.training.store import CheckpointStore

        place = self.folder / "rows", self.folder / "pretrained", self.folder / name, self.folder / f"{name}-scratch"
        checkpoints = CheckpointStore(self.folder / store)
        finetune(self.config, self.task, "places", self.params.trainer, 7, *place, checkpoints, run)


def adaptation_cell(folder: Path, kind: str, adaptation: str) -> Cell:
    """Proofs of an adaptation on a kind of task."""
    from tests.small_artifacts import small_tokenizer
    from tests.small_kinds import ROW_OF, small_rows
    from tests.training.test_finetune import pretrained_folder

    pretrained_folder(folder / "pretrained", small_tokenizer(folder / "tokenizer"), MODEL_OF[KINDS[kind].head])
    small_rows(folder / "rows", kind, ROW_OF[kind])
    adapting, cell = Adapting(folder, kind, ADAPTATIONS[adaptation]), {"done": list[str]()}
    for proof in (trains, overfits_one_batch, goes_on_after_a_kill, is_verified_and_asked):
        try:
            proof(adapting)
        except ParameterError as error:
            return {"refused": str(error).splitlines()[-1]}
        except Exception as error:  # whatever went wrong is what the table is to say
            return {**cell, "failed": f"{proof.__name__.replace('_', ' ')}: {str(error).splitlines()[0][:200]}"}
        cell["done"].append(proof.__name__)
    return cell


def trains(adapting: Adapting) -> None:
    """Some steps, uninterrupted."""
    adapting.run("whole", "store of the whole", RecordedRun())


def overfits_one_batch(adapting: Adapting) -> None:
    """The same batch again and again, by the project's own optimizer."""
    import torch

    from components.modeling.adapters import adapt
    from components.modeling.checkpoints import load_classifier, load_tokenizer
    from components.training.optimizers import OPTIMIZERS
    from components.training.task_data import TaskData, task_objective

    torch.manual_seed(1)
    data = TaskData.read(adapting.folder / "rows", adapting.task, load_tokenizer(adapting.folder / "pretrained"))
    model = load_classifier(adapting.folder / "pretrained", data.task.labels, 0.0, data.task.head).model
    config = adapting.config.model_copy(update={"learning_rate": 1e-2})
    adapt(model, config.adapter, data.task.head)
    optimizer = OPTIMIZERS["adamw"](model, config)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * group.get("rate_factor", 1.0)
    objective, batch, losses = task_objective(data), data.batch(data.train, range(4)), []
    wanted = OVERFITTED if config.adapter.name == "full" else HARDLY
    for _ in range(150):
        optimizer.zero_grad()
        loss = objective.loss(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < wanted * losses[0]:
            return
    check(False, f"loss {losses[0]:.2f} fell to {losses[-1]:.2f} in {len(losses)} steps")


def is_verified_and_asked(adapting: Adapting) -> None:
    """Exported, quantized, through the gate into a bundle, which answers."""
    from components.deployment.bundle import build
    from components.deployment.export import export
    from components.deployment.quantize import quantize
    from components.runtime.bundle import load_bundle
    from components.runtime.generation.generator import Sampling, load_generator
    from components.tasks.rows import read_split

    params, run, named = adapting.params, RecordedRun(), (adapting.task, "places")
    rows, teacher, onnx, int8, bundle = (adapting.folder / name for name in ("rows", "whole", "onnx", "int8", "bundle"))
    export(params.export, *named, rows, teacher, onnx, run)
    rungs = {"max_accuracy_loss": 1.0, "bootstrap_samples": 100, "rungs": ["int8"]}
    quantize(params.quantize.model_copy(update=rungs), *named, rows, onnx, int8, run)
    engines = params.build.model_copy(update={"engines": ["onnxruntime"]})
    build(engines, params.gate.model_copy(update=LOOSE), *named, rows, teacher, onnx, int8, bundle, run)
    if KINDS[adapting.kind].head in GENERATES:
        found: Sequence[Any] = load_generator(bundle).complete(["ship wave"], Sampling(4, 0.0, 1.0, None, ()))
    else:
        answering = load_bundle(bundle)
        asked = read_split(rows / "test.jsonl", answering.kind)[:2]
        found = answering.predict([answering.kind.text(row) for row in asked])
    check(bool(found), "no answers")
