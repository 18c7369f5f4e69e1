"""What can be known to fail is told before anything works: folders, files, lengths, combinations of parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from components.errors import ParameterError
from components.params import Params
from components.variables import check_variables
from flows.graph import DATA, Stage


def check_project(root: Path, params: Params, stages: Iterable[Stage]) -> list[str]:
    """Look at what the stages that are not fresh would fail by. Returns lines on what will change nothing.

    Raises LianziError for the first thing that is wrong.
    """
    return check_stages(root, params, {stage.name for stage in stages if not stage.fresh})


def check_stages(root: Path, params: Params, stale: Collection[str]) -> list[str]:
    """The same for stages by name: `lianzi plan` has some that DVC calls fresh run too."""
    check_variables()
    work = {name.partition("@")[0] for name in stale}
    remarks = _check_data(root, params) if "curate" in work else []
    if "validate" in work and params.validation.accepted is not None:
        from components.validation.drift import read_accepted

        read_accepted(root / params.validation.accepted)
    if work & {"pretrain", "finetune", "distill"}:
        _check_lengths(params)
        _check_trainings(params)
    return remarks


def _check_data(root: Path, params: Params) -> list[str]:
    """Corpus, tasks and word lists are there and begin as they should; the sources' languages have rules."""
    from components.corpus.files import corpus_files, strange_sources
    from components.corpus.labelled import check_task
    from components.corpus.row_filter import RowFilter

    data = root / DATA
    for name, task in params.tasks.items():
        check_task(task, data / "tasks" / name)
    sources = {file.source for file in corpus_files(data / "corpus")}
    RowFilter(params.curate, {name: source.language for name, source in params.corpus.items()})
    return strange_sources(params.corpus, sources)


def _check_lengths(params: Params) -> None:
    """Of a model made anew: a checkpoint knows its own lengths, and is looked at by itself."""
    if params.pretrain.init_from is not None:
        return
    for name, length in params.lengths().items():
        if length > params.model.max_length:
            raise ParameterError(
                f"{name} {length} is longer than model.max_length {params.model.max_length}",
                f"lower it, or raise model.max_length to {length}",
            )


def _check_trainings(params: Params) -> None:
    """Parameters that do not go together, each told by the code that would meet them in the middle of a run."""
    from components.modeling.objectives.lookup import check_objective
    from components.training.batches import check_division
    from components.training.quantization_aware import check_rounding

    if params.pretrain.init_from is None:
        check_objective(params.model.architecture, params.pretrain.objective.name)
    parts = params.trainer.devices * params.trainer.accumulate
    for section in (params.pretrain, params.finetune, params.distill):
        check_division(section.batch_size, parts)
    check_rounding(params.distill.quantization_aware, params.trainer)
