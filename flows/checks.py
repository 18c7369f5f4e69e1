"""Checks before any work: folders, files, lengths, combinations of parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from components.errors import ParameterError
from components.params import Params
from components.stages import TRAININGS
from components.variables import check_variables
from flows.graph import DATA, Stage


def check_project(root: Path, params: Params, stages: Iterable[Stage]) -> list[str]:
    """Check the inputs of the stages that are not fresh. Returns warnings about parameters without effect.

    Raises LianziError for the first error.
    """
    return check_stages(root, params, {stage.name for stage in stages if not stage.fresh})


def check_stages(root: Path, params: Params, stale: Collection[str]) -> list[str]:
    """The same for stages by name."""
    remarks = check_inputs(root, params, stale)
    if {name.partition("@")[0] for name in stale}.intersection(TRAININGS):
        from components.planning.combinations import check_combinations

        check_combinations(params)
    return remarks


def check_inputs(root: Path, params: Params, stale: Collection[str]) -> list[str]:
    """What can be checked without the libraries of trainings: `lianzi plan` leaves the rest to its trial runs."""
    check_variables()
    work = {name.partition("@")[0] for name in stale}
    remarks = _check_data(root, params) if "curate" in work else []
    if "validate" in work and params.validation.accepted is not None:
        from components.validation.drift import read_accepted

        read_accepted(root / params.validation.accepted)
    if work.intersection(TRAININGS):
        _check_lengths(params)
    return remarks


def _check_data(root: Path, params: Params) -> list[str]:
    """Corpus, tasks and word lists exist and begin with valid rows; the sources' languages have rules."""
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
    """Checks of a model with random weights: a checkpoint has its own lengths, and is checked by itself."""
    if params.pretrain.init_from is not None:
        return
    for name, length in params.lengths().items():
        if length > params.model.max_length:
            raise ParameterError(
                f"{name} {length} is longer than model.max_length {params.model.max_length}",
                f"lower it, or raise model.max_length to {length}",
            )
