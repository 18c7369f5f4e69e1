"""What the tables of benchmarks.coverage with kinds of task as rows have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.coverage_proofs import Cell, check
from components.errors import ParameterError
from components.modeling.kinds import GENERATES
from components.run import RecordedRun
from components.tasks.kinds import KINDS

if TYPE_CHECKING:
    from components.params import Params
    from components.tasks.config import TaskConfig

NAME = "places"
"""The task."""
MODEL_OF = {None: "modernbert", "causal_lm": "gpt2", "seq2seq_lm": "t5"}
"""Head of a kind, where not every architecture carries it -> an architecture that does."""
FEW = {"epochs": 2, "min_steps": 1, "batch_size": 32, "learning_rate": 3e-3, "threads": 1, "precision": "fp32"}
SMALL = {
    **{f"{section}.{name}": value for section in ("finetune", "distill") for name, value in FEW.items()},
    "finetune.without_pretraining": False,
    "distill.width_fraction": 1.0,  # an encoder-decoder is made smaller by layers alone
    "distill.ffn_fraction": 1.0,
}
"""Parameters by dotted names: trainings of seconds."""
LOOSE = {"max_loss": 1.0, "min_agreement": 0.0, "min_token_agreement": 0.0, "bootstrap_samples": 100, "rows": 16}


def kinds() -> Sequence[str]:
    """The rows of a table: kinds of which tests have rows that anyone can learn."""
    from tests.small_kinds import ROW_OF

    return list(ROW_OF)


@dataclass(frozen=True)
class TaskTraining:
    """A training on the rows of a kind of task, which lie in a folder; `changes`: of parameters, by dotted names."""

    killed_at: ClassVar[int] = 5
    folder: Path
    kind: str
    changes: Mapping[str, Any]

    @property
    def params(self) -> Params:
        """Those of a project with this task. Raises ParameterError where such a project is refused."""
        from tests.small_params import checked

        return checked(
            {
                "tasks": {NAME: self.task.model_dump()},
                "model.architecture": MODEL_OF[KINDS[self.kind].head],
                "train_tokenizer.special_tokens": [*self.task.special_tokens()],
                **SMALL,
                **self.changes,
            }
        )

    @property
    def task(self) -> TaskConfig:
        from tests.small_kinds import small_config

        return small_config(self.kind)


def proven(training: TaskTraining, proofs: Sequence[Callable[[Any], None]]) -> Cell:
    """The cell of a training, by proofs that are made one after another."""
    done: list[str] = []
    for proof in proofs:
        try:
            proof(training)
        except ParameterError as error:
            return {"refused": what_fits(error)}
        except Exception as error:  # whatever went wrong is what the table is to say
            return {"done": done, "failed": f"{proof.__name__.replace('_', ' ')}: {str(error).splitlines()[0][:200]}"}
        done.append(proof.__name__)
    return {"done": done}


def what_fits(error: ParameterError) -> str:
    """What to set instead: the end of a message about params.yaml, else the line below it."""
    return str(error).splitlines()[-1].rpartition(": ")[2]


def is_verified_and_asked(training: TaskTraining) -> None:
    """Exported, quantized, through the gate into a bundle, which answers."""
    from components.deployment.bundle import build
    from components.deployment.export import export
    from components.deployment.quantize import quantize
    from components.runtime.bundle import load_bundle
    from components.runtime.generation.generator import Sampling, load_generator
    from components.tasks.rows import read_split

    params, run, named = training.params, RecordedRun(), (training.task, NAME)
    rows, model, onnx, int8, bundle = (training.folder / name for name in ("rows", "whole", "onnx", "int8", "bundle"))
    export(params.export, *named, rows, model, onnx, run)
    rungs = {"max_accuracy_loss": 1.0, "bootstrap_samples": 100, "rungs": ["int8"]}
    quantize(params.quantize.model_copy(update=rungs), *named, rows, onnx, int8, run)
    engines = params.build.model_copy(update={"engines": ["onnxruntime"]})
    build(engines, params.gate.model_copy(update=LOOSE), *named, rows, model, onnx, int8, bundle, run)
    if KINDS[training.kind].head in GENERATES:
        found: Sequence[Any] = load_generator(bundle).complete(["ship wave"], Sampling(4, 0.0, 1.0, None, ()))
    else:
        answering = load_bundle(bundle)
        asked = read_split(rows / "test.jsonl", answering.kind)[:2]
        found = answering.predict([answering.kind.text(row) for row in asked])
    check(bool(found), "no answers")
