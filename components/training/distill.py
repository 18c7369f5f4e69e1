"""Stage distill: a smaller student learns from its teacher's answers, its hidden states and the labels."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from components.artifacts import read_manifest
from components.modeling.architectures import layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.heads import HEADS
from components.modeling.loading import load_model
from components.modeling.students import sizes
from components.run import Metrics, Run
from components.tasks.config import TaskConfig
from components.tasks.rows import EVERY_ROW, LabelShare, read_task
from components.training import ranks
from components.training.config import DistillConfig, TrainerConfig
from components.training.school import Graduate, School, described, validation_batches
from components.training.store import CheckpointStore
from components.training.targets import answered
from components.training.task_data import TaskData
from components.training.task_objective import task_objective
from components.training.task_outputs import outputs_of
from components.training.task_training import save_classifier
from components.training.trainer import prepare_libraries
from components.training.word_counts import WordCounts


def distill(
    config: DistillConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    teacher: Path,
    student: Path,
    checkpoints: CheckpointStore,
    run: Run,
    share: LabelShare = EVERY_ROW,
) -> Metrics:
    """Train a student of `teacher`, trim its vocabulary and write it to `student`.

    One that loses more than `max_loss` is followed by a larger one, and after the largest the teacher itself goes on as
    the student (components.modeling.students.sizes). Returns the validation metrics of what is written, and what was
    refused. Raises ParameterError where the teacher cannot be made smaller in the way asked for.
    """
    read_manifest(teacher, "classifier")
    prepare_libraries(config.threads)
    guide: PreTrainedModel = load_model(HEADS[read_task(rows).head], teacher).model.eval()
    tried = sizes(guide.config, config)
    data = TaskData.read(rows, task, load_tokenizer(teacher), share)
    with tempfile.TemporaryDirectory() as folder:
        counts = word_counts(guide, data, rows, share, task) if config.count_words and tried else None
        if counts:
            run.say(f"distill {task_name}: counting words has {counts.share:.0%} of the soft labels")
            data = replace(data, train=replace(data.train, word_counts=counts.probabilities))
        files: dict[str, Path] = {}
        if tried:
            label = f"distill {task_name}"
            data, files = answered(guide, data, config, rows, share, checkpoints.folder, label, run)
        school = School(
            config, task, task_name, trainer, seed, rows, share, teacher, guide, data, counts, checkpoints, run
        )
        found = school.graduate(tried, Path(folder))
        if not ranks.is_rank_zero():
            return {}
        made_from = {"rows": rows, "teacher": teacher}
        line = told(found, config.max_loss)
        model, tokenizer = found.model, found.tokenizer
        save_classifier(model, tokenizer, student, task_name, found.data, made_from, files=files, distillation=line)
    run.say(f"distill {task_name}: {line}")
    return measured(found, guide, data, counts)


def measured(found: Graduate, teacher: PreTrainedModel, data: TaskData, counts: WordCounts | None) -> Metrics:
    """The metrics of what is written, and what was refused; `data`: the task in the teacher's ids."""
    return {
        **found.metrics,
        "agreement": 1.0 if found.size is None else agreement(teacher, found.model, data, found.data),
        "layers": len(layers_of(found.model)),
        "vocabulary": found.model.config.vocab_size,
        f"teacher_{found.data.metric.name}": found.teacher_score,
        "teacher_goes_on": int(found.size is None),
        "word_count_share": counts.share if counts and found.size else 0.0,
        "refused": {name: {found.data.metric.name: score} for name, score in found.refused.items()},
    }


def told(found: Graduate, max_loss: float) -> str:
    """What became of a teacher's students, in a line."""
    metric = found.data.metric
    losses = {name: metric.improvement(score, found.teacher_score) for name, score in found.refused.items()}
    lost = ", ".join(f"{name} by {loss:.4f}" for name, loss in losses.items())
    before = (
        f"students below the teacher by more than {max_loss:g} {metric.title} on validation rows: {lost}"
        if lost
        else ""
    )
    if found.size is None:
        reason = before or "the student asked for is as large as its teacher"
        return f"the teacher itself goes on as the student ({described(found.model)}): {reason}"
    line = (
        f"the student {found.size.name} ({described(found.model)}) has {metric.title} "
        f"{found.metrics[metric.name]:.4f} on validation rows, its teacher {found.teacher_score:.4f}"
    )
    return f"{line}; {before}" if before else line


@torch.no_grad()
def word_counts(
    teacher: PreTrainedModel, data: TaskData, rows: Path, share: LabelShare, task: TaskConfig
) -> WordCounts | None:
    """The second teacher, where it adds to the first."""
    # Numbers and tags are learned from one teacher: a mixture of two was not tried.
    output = data.task.output
    if output.kind != "categorical" or output.per_token or output.of_candidates:
        return None
    outputs = torch.cat([outputs_of(teacher, batch) for batch in validation_batches(data)])
    return WordCounts.of(rows, share, data.task, task.language, outputs.float().softmax(dim=1))


@torch.no_grad()
def agreement(teacher: PreTrainedModel, student: PreTrainedModel, data: TaskData, own: TaskData) -> float:
    """How far both answer the validation rows alike; `own`: the task in the student's ids."""
    answers = [
        task_objective(part).answers(model, validation_batches(part))
        for model, part in ((teacher.cpu(), data), (student, own))
    ]
    return data.task.agreement(*answers)
