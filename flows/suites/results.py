"""What a system scored in a suite, kept a task at a time: a suite that was killed answers no task again."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.artifacts import file_hash, read_json, read_manifest, write_json
from components.params import load_params
from components.suites.answers import answered, scored
from components.suites.suite import Raw, Suite, SuiteTask
from components.suites.table import Scores
from components.tasks.kinds import task_of

RESULTS = "results"
TEACHER, BUNDLE = "teacher", "bundle"
"""The fine-tuned model, which papers report, and the model that ships."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of a file in an archive, so that equal answers make equal archives."""


def result_file(project: Path, task: SuiteTask) -> Path:
    return project / RESULTS / f"{task.name}.json"


def kept_of(project: Path, task: SuiteTask) -> dict[str, Any]:
    """Model -> its scores and answers, of the models that are still what they were when they answered."""
    path = result_file(project, task)
    kept = read_json(path) if path.is_file() else {}
    return {model: found for model, found in kept.items() if found["key"] == _key(project, task, model)}


def is_answered(project: Path, task: SuiteTask, models: Sequence[str]) -> bool:
    """Whether these models have answered the task as they are now."""
    return kept_of(project, task).keys() >= set(models)


def answer_task(
    project: Path, task: SuiteTask, rows: Mapping[str, Sequence[Raw]], models: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Answers and scores of a task by model, kept in its result file: `scores` by part, `answers` by split."""
    path = result_file(project, task)
    kept = kept_of(project, task)
    for model in models:
        if model not in kept:
            kept[model] = {"key": _key(project, task, model), **_answer(project, task, rows, model)}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, kept)
        told = ", ".join(
            f"{part} {name} {value:.3f}" for part, one in kept[model]["scores"].items() for name, value in one.items()
        )
        say(f"{task.name}: {model}: {told or 'answered, its labels are hidden'}")
    return {model: kept[model] for model in models}


def scores_of(project: Path, suite: Suite) -> dict[str, Scores]:
    """Model -> part -> metric -> value, of all that a project has answered."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task in suite.tasks:
        for model, kept in kept_of(project, task).items():
            found.setdefault(model, {}).update(kept["scores"])
    return {model: found[model] for model in (TEACHER, BUNDLE) if model in found}


def write_submission(
    folder: Path,
    suite: Suite,
    rows: Mapping[str, Mapping[str, Sequence[Raw]]],
    answers: Mapping[str, Mapping[str, Any]],
) -> list[Path]:
    """The files that the suite's site takes, of one model, and their archive. `rows`, `answers`: task -> split -> one a
    row. Returns what to send."""
    written = []
    for task in suite.tasks:
        for one in task.submissions:
            if given := answers.get(task.name, {}).get(one.split):
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / one.file
                path.write_text(one.content(rows[task.name][one.split], given), encoding="utf-8")
                written.append(path)
    if not suite.archive or not written:
        return written
    archive = folder / suite.archive
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for path in written:
            files.writestr(zipfile.ZipInfo(path.name, _EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return [archive]


def _model_folder(project: Path, task: SuiteTask, model: str) -> Path:
    return project / "artifacts" / (task.trained_as or task.name) / model


def _key(project: Path, task: SuiteTask, model: str) -> str:
    manifest = _model_folder(project, task, model) / "manifest.json"
    return file_hash(manifest) if manifest.is_file() else ""


def _answer(project: Path, task: SuiteTask, rows: Mapping[str, Sequence[Raw]], model: str) -> dict[str, Any]:
    from components.evaluation.rungs import bundle_rung, torch_rung

    folder = _model_folder(project, task, model)
    config = load_params(project / "params.yaml").tasks[task.trained_as or task.name]
    if model == BUNDLE:
        made = read_json(folder / "manifest.json")
        kind = task_of(made)
        # The one that kept its quality: which one ships is decided by timings, at a release.
        answer = bundle_rung(kind, folder, made["candidate"])
    else:
        kind = task_of(read_manifest(folder, "classifier"))
        answer = torch_rung(kind, folder, config.max_length)
    answers = {split: answered(task, config, kind, answer, split, found) for split, found in rows.items()}
    scores = {part.title: scored(task, part, rows[part.split], answers[part.split]) for part in task.parts}
    return {"scores": scores, "answers": answers}
