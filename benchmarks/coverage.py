"""What goes with what: each pair of a table is tried the whole way, and docs/coverage.md is written from what ran.

python -m benchmarks.coverage [--table objectives] [--only bert "rtd x electra" …]

A cell of `objectives` is pretrained for some steps, overfits one batch, is killed with SIGKILL and carried on to the
same bytes; then a classifier is fine-tuned from it, exported, quantized, verified by the gate and asked. What was tried
before is kept in benchmarks/results/coverage.json; `--only` tries the named rows, columns and cells again, and no
others.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.coverage_adaptation import ADAPTATIONS, adaptation_cell
from benchmarks.coverage_distillation import STUDENTS, student_cell
from benchmarks.coverage_proofs import Cell, check, goes_on_after_a_kill, overfits
from benchmarks.coverage_tasks import kinds
from components.machine import machine

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "coverage.json"
PAGE = ROOT / "docs" / "coverage.md"
TIED = 0.01
"""Logits that differ by less are as good as the same."""


@dataclass(frozen=True)
class Table:
    """`refused`: of a row and a column, what would fit instead, None where they fit; `try_cell` is given a folder, a
    row and a column that do. `title` and `proofs` stand on the page."""

    title: str
    proofs: str
    rows: Callable[[], Sequence[str]]
    columns: Callable[[], Sequence[str]]
    try_cell: Callable[[Path, str, str], Cell]
    refused: Callable[[str, str], str | None] = lambda row, column: None


def main() -> int:
    """Try, record, write the page; 1 where a proof did not hold."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--table", choices=list(TABLES), nargs="+", default=list(TABLES))
    options.add_argument("--only", nargs="+", default=[])
    chosen = options.parse_args()
    os.environ["LIANZI_CHECKPOINT_SECONDS"] = "0"
    results = json.loads(RESULTS.read_text(encoding="utf-8"))["tables"] if RESULTS.is_file() else {}
    for name in chosen.table:
        table, cells = TABLES[name], results.setdefault(name, {})
        for row in table.rows():
            for column in table.columns():
                key = f"{row} x {column}"
                others = table.refused(row, column)
                if others is not None:
                    cells[key] = {"refused": others}
                elif ({row, column, key} & {*chosen.only}) if chosen.only else key not in cells:
                    cells[key] = tried(table, row, column)
                    print(f"{key}: {shown(cells[key])}", flush=True)
                    write(results)
    write(results)
    return int(any("failed" in cell for cells in results.values() for cell in cells.values()))


def write(results: Mapping[str, Mapping[str, Cell]]) -> None:
    """The record and the page, after every cell: a run that is stopped loses none."""
    record = {"tables": results, "machine": machine()}
    RESULTS.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


def tried(table: Table, row: str, column: str) -> Cell:
    """A cell, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIANZI_CACHE"] = f"{folder}/cache"
        return table.try_cell(Path(folder), row, column)


def shown(cell: Cell) -> str:
    """A cell as it stands on the page."""
    if not cell:
        return "not tried"
    if "refused" in cell:
        return "refused"
    return f"**no**: {cell['failed']}" if "failed" in cell else "yes"


def page(results: Mapping[str, Mapping[str, Cell]]) -> str:
    """docs/coverage.md."""
    lines = ["# What goes with what", "", "Written by `python -m benchmarks.coverage` from what ran."]
    for name, cells in results.items():
        table = TABLES[name]
        rows, columns = table.rows(), table.columns()
        lines += ["", f"## {table.title}", "", table.proofs, ""]
        lines += [f"| | {' | '.join(f'`{column}`' for column in columns)} |", f"|{' --- |' * (len(columns) + 1)}"]
        for row in rows:
            lines.append(f"| `{row}` | {' | '.join(shown(table_cell(cells, row, column)) for column in columns)} |")
        refusals = [[table_cell(cells, row, column).get("refused", "") for row in rows] for column in columns]
        named = ["; ".join(dict.fromkeys(filter(None, texts))) or "–" for texts in refusals]
        lines.append(f"| a refusal names | {' | '.join(named)} |")
    return "\n".join(lines) + "\n"


def table_cell(cells: Mapping[str, Cell], row: str, column: str) -> Cell:
    """A cell, empty where it was not tried."""
    return cells.get(f"{row} x {column}", {})


# Objectives and architectures


@dataclass(frozen=True)
class Pretraining:
    """Small artifacts, and the parameters of a training on them that takes seconds."""

    killed_at: ClassVar[int] = 7
    folder: Path
    objective: str
    architecture: str
    sections: dict[str, Any] = field(default_factory=dict)

    def run(self, name: str, store: str, run: Any) -> dict[str, Any]:
        """The stage pretrain, its result in a folder of this name."""
        from components.training.pretrain import pretrain
        from components.training.store import CheckpointStore

        paths = self.folder / "tokens", self.folder / "tokenizer", self.folder / name
        trained = self.sections["pretrain"], self.sections["model"], self.sections["trainer"], 7
        return pretrain(*trained, *paths, CheckpointStore(self.folder / store), run)


def objective_refused(objective_name: str, architecture_name: str) -> str | None:
    """The objectives that fit an architecture, where this one does not."""
    from components.errors import ParameterError
    from components.modeling.objectives.lookup import check_objective, fitting_objectives

    try:
        check_objective(architecture_name, objective_name)
    except ParameterError:
        return ", ".join(f"`{name}`" for name in fitting_objectives(architecture_name))
    return None


def objective_cell(folder: Path, objective_name: str, architecture_name: str) -> Cell:
    """Proofs of an objective on an architecture."""
    cell: Cell = {"done": []}
    training = prepared(folder, objective_name, architecture_name)
    for proof in (trains, overfits_one_batch, goes_on_after_a_kill, answers_a_task):
        try:
            proof(training)
        except Exception as error:  # whatever went wrong is what the table is to say
            return {**cell, "failed": f"{proof.__name__.replace('_', ' ')}: {str(error).splitlines()[0][:200]}"}
        cell["done"].append(proof.__name__)
    return cell


def prepared(folder: Path, objective_name: str, architecture_name: str) -> Pretraining:
    """Tokenizer, tokens, rows and sections."""
    from components.modeling.config import ModelConfig
    from components.modeling.kinds import ENCODER_DECODERS
    from components.params import load_params
    from components.training.config import PretrainConfig
    from tests.small_artifacts import small_tokenizer, small_tokens
    from tests.small_kinds import ROW_OF, small_rows
    from tests.small_params import objective

    small_tokens(folder / "tokens", small_tokenizer(folder / "tokenizer"))
    writes = architecture_name in ENCODER_DECODERS
    kind = "translation" if writes else "classification"
    small_rows(folder / "rows", kind, ROW_OF[kind])
    params = load_params(ROOT / "params.yaml")
    few: dict[str, Any] = {
        "steps": 12,
        "batch_size": 4,
        "sequence_length": 24,
        "validate_every": 6,
        "validation_sequences": 8,
    }
    few |= {"threads": 1, "learning_rate": 3e-3, "objective": objective(objective_name), "precision": "fp32"}
    few |= {"document_attention": not writes}
    shape = {"architecture": architecture_name, "depth": 1, "width": None, "max_length": 32}
    sections = {
        "pretrain": PretrainConfig.model_validate({**params.pretrain.model_dump(), **few}),
        "model": ModelConfig.model_validate(shape),
        "trainer": params.trainer,
        "params": params,
        "kind": kind,
    }
    return Pretraining(folder, objective_name, architecture_name, sections)


def trains(training: Pretraining) -> None:
    """Some steps, uninterrupted."""
    from components.run import RecordedRun

    metrics = training.run("whole", "store of the whole", RecordedRun())
    check(metrics["validation_loss"] < float("inf"), f"validation loss {metrics['validation_loss']}")


def overfits_one_batch(training: Pretraining) -> None:
    """The same batch again and again, by the project's own optimizer."""
    import torch

    from components.modeling.architectures import build_language_model
    from components.modeling.checkpoints import load_tokenizer
    from components.modeling.objectives.lookup import build_objective
    from components.modeling.objectives.objective import WHOLE
    from components.tokenization.reader import PackedTokens
    from components.training.module import Learner
    from components.training.optimizers import OPTIMIZERS

    torch.manual_seed(1)
    config, tokenizer = training.sections["pretrain"], load_tokenizer(training.folder / "tokenizer")
    model = build_language_model(training.sections["model"], tokenizer, config.sequence_length)
    objective = build_objective(tokenizer, config)
    objective.attach(model)
    learner = Learner(model, objective).train()
    windows = PackedTokens(training.folder / "tokens", "train").gather(np.arange(4) * 24, 24)
    batch = objective.prepare(torch.from_numpy(windows), torch.Generator().manual_seed(1), WHOLE)
    optimizer = OPTIMIZERS["adamw"](model, config, learner.beside())
    overfits(optimizer, lambda: learner(batch, validating=False))


def answers_a_task(training: Pretraining) -> None:
    """Fine-tuned, a classifier or, an encoder-decoder, a translator; exported, quantized, through the gate into a
    bundle, and asked."""
    from components.deployment.bundle import build
    from components.deployment.export import export
    from components.deployment.generation.written import generator_answers
    from components.deployment.quantize import quantize
    from components.run import RecordedRun
    from components.runtime.bundle import load_bundle
    from components.runtime.generation.generator import load_generator
    from components.tasks.config import TaskConfig
    from components.tasks.rows import read_task
    from components.training.finetune import finetune
    from components.training.store import CheckpointStore
    from tests.small_artifacts import sentences

    params, run = training.sections["params"], RecordedRun()
    task = TaskConfig(kind=training.sections["kind"], language="en", max_length=24), "places"
    place = {name: training.folder / name for name in ("whole", "rows", "teacher", "onnx", "int8", "bundle")}
    few = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "min_steps": 1}
    config = params.finetune.model_copy(update=few | {"threads": 1})
    given = place["rows"], place["whole"], place["teacher"]
    finetune(config, *task, params.trainer, 7, *given, CheckpointStore(training.folder / "fine"), run)
    export(params.export, *task, place["rows"], place["teacher"], place["onnx"], run)
    loose = {"max_accuracy_loss": 1.0, "bootstrap_samples": 100}
    rungs = params.quantize.model_copy(update=loose | {"rungs": ["int8"]})
    quantize(rungs, *task, place["rows"], place["onnx"], place["int8"], run)
    passed = {"max_loss": 1.0, "min_agreement": 0.0, "min_token_agreement": 0.0, "bootstrap_samples": 100, "rows": 32}
    gate = params.gate.model_copy(update=passed)
    engines = params.build.model_copy(update={"engines": ["onnxruntime"]})
    build(engines, gate, *task, place["rows"], place["teacher"], place["onnx"], place["int8"], place["bundle"], run)
    texts = [text for text, _ in sentences(8)]
    if task[0].kind == "translation":
        kind = read_task(place["rows"])
        rungs_of = (load_generator(place["bundle"], variant) for variant in VARIANTS)
        both: list[Any] = [kind.values(generator_answers(kind, rung, texts)) for rung in rungs_of]
        same = sum(one == other for one, other in zip(*both, strict=True))
    else:
        same = alike(*(load_bundle(place["bundle"], variant).logits(texts) for variant in VARIANTS))
    check(bool(same >= 0.75 * len(texts)), "int8 answers otherwise than fp32")


def alike(logits: np.ndarray, others: np.ndarray) -> int:
    """How many rows are answered alike: of two labels that are as likely as one another, either is the answer. After a
    few steps that is what a model says of some."""
    chosen = np.take_along_axis(logits, others.argmax(axis=1)[:, None], axis=1)[:, 0]
    return int((logits.max(axis=1) - chosen < TIED).sum())


VARIANTS = ("fp32", "int8")


def _objectives() -> list[str]:
    from components.modeling.config import OBJECTIVES

    return list(OBJECTIVES)


def _architectures() -> list[str]:
    from components.modeling.kinds import FROM_SCRATCH

    return list(FROM_SCRATCH)


TABLES: dict[str, Table] = {
    "objectives": Table(
        "Objectives and architectures",
        "Each pair is pretrained for some steps from random weights, overfits one batch, and is killed with SIGKILL "
        "and carried on to the same bytes. A classifier, or of an encoder-decoder a translator, is fine-tuned from it, "
        "exported, quantized to int8, verified by the gate, and asked: fp32 and int8 answer alike. A pair that does "
        "not fit is refused, with the objectives that do.",
        _objectives,
        _architectures,
        objective_cell,
        objective_refused,
    ),
    "adaptations": Table(
        "Kinds of task and adaptations",
        "A pretrained model is fine-tuned for some steps on rows of the kind, overfits one batch, is killed with "
        "SIGKILL and carried on to the same bytes; then exported, quantized to int8, verified by the gate, and asked. "
        "Generation is tried with gpt2, translation and summarization with t5, the others with modernbert. `dpo` "
        "learns from pairs of answers, of which one is chosen; `dpo_lora` is the same with LoRA.",
        kinds,
        lambda: list(ADAPTATIONS),
        adaptation_cell,
    ),
    "students": Table(
        "Kinds of task and students",
        "A fine-tuned teacher, of the models named above, is distilled into a student of half its layers, which is "
        "tried in the same way; its loss on one batch has to fall by a tenth, since not all that its teacher says is "
        "right. `attention_relations` (`distill.features`) are those of models whose queries and keys can be read; t5 "
        "is none of them. By `sequence_level` (`distill.targets`) the student learns answers that its teacher wrote, "
        "and the teacher has to have written some. Where a row has several labels, the loss is a cross-entropy with "
        "softened probabilities, which cannot fall to 0 either: there the proof by one batch may fail of itself.",
        kinds,
        lambda: list(STUDENTS),
        student_cell,
    ),
}
"""Each further table is an entry: rows, columns, the function that tries a cell, and which pairs are refused."""


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
