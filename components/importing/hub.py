"""Hugging Face data sets as a source: from the hub by name, saved by save_to_disk, or a folder with split names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.corpus.record import Record, reason_of, wanted
from components.errors import DataError
from components.importing.source import Columns, Source, source_name

_SAVED = ("state.json", "dataset_dict.json")
_SECONDS = 30


def is_saved(path: Path) -> bool:
    """Whether save_to_disk wrote a folder."""
    return any((path / name).is_file() for name in _SAVED)


def open_dataset(name: str, config: str | None, split: str | None, columns: Columns = None) -> Source:
    """Stream one split of a data set; among several, `train` unless another is named. Raises DataError."""
    loaded, about = load_splits(name, config)
    chosen, rows = _split(name, loaded, split)
    records = _records(chosen, rows, name, columns)
    return Source("dataset", name, source_name(Path(name).name), records, parts=True, about=about)


def load_splits(name: str, config: str | None, branch: str | None = None) -> tuple[Any, dict[str, str]]:
    """A data set, one split or several by name, and what there is to know of it. `branch`: of the hub, where it is not
    the main one. Raises DataError.

    Of a hub that does not answer, what an earlier run left in the library's cache is taken.
    """
    # Set before the import, when the library reads it: its progress bars would mix with ours.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    path = Path(name)
    about = {"config": config} if config else {}
    if path.is_dir():
        return _saved(path) if is_saved(path) else _streamed(name, config, None), about
    try:
        revision = _revision(name, branch)
    except _OutOfReach:
        if (cached := _cached(name, config)) is None:
            raise
        return cached, about | {"revision": "in the cache of datasets"}
    return _streamed(name, config, revision), about | {"revision": revision}


class _OutOfReach(DataError):
    """The hub was not asked, or did not answer."""


def _cached(name: str, config: str | None) -> Any:
    from datasets import config as library
    from datasets import load_dataset

    offline, library.HF_HUB_OFFLINE = library.HF_HUB_OFFLINE, True
    try:
        return load_dataset(name, config)
    except (OSError, ValueError):
        return None
    finally:
        library.HF_HUB_OFFLINE = offline


def _saved(path: Path) -> Any:
    from datasets import load_from_disk

    try:
        return load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a saved data set: {reason_of(error)}", "save it again with save_to_disk"
        ) from None


def _revision(name: str, branch: str | None) -> str:
    """The current commit on the hub, which is imported. Raises DataError for an unknown name."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        return str(HfApi().dataset_info(name, revision=branch, timeout=_SECONDS).sha)
    except GatedRepoError:
        hint = "accept its terms on the hub, then `hf auth login`"
        raise DataError(f"{name}: a data set behind a form", hint) from None
    except (RepositoryNotFoundError, HFValidationError):
        hint = "OWNER/NAME as the hub has it; private ones need `hf auth login`"
        raise DataError(f"{name}: no such file or folder here, and no such data set on the hub", hint) from None
    except OfflineModeIsEnabled:
        hint = "the hub is not asked: HF_HUB_OFFLINE is set"
        raise _OutOfReach(f"{name}: no such file or folder here, nor in the cache of datasets", hint) from None
    except Exception as error:
        if not type(error).__module__.startswith("httpx") and not isinstance(error, OSError):
            raise
        hint = f"the Hugging Face hub does not answer: {reason_of(error)}"
        raise _OutOfReach(f"{name}: no such file or folder here, nor in the cache of datasets", hint) from None


def _streamed(name: str, config: str | None, revision: str | None) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(name, config, revision=revision, streaming=True)
    except ValueError as error:
        hint = "choose one with --config" if "onfig" in str(error) else ""
        raise DataError(f"{name}: {' '.join(str(error).split())[:300]}", hint) from None
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name}: cannot be loaded: {reason_of(error)}", "data sets that are scripts are not run"
        ) from None


def _split(name: str, loaded: Any, wanted: str | None) -> tuple[str, Any]:
    if not isinstance(loaded, Mapping):
        if wanted not in (None, str(loaded.split)):
            raise DataError(f"{name}: no split '{wanted}'", "it was saved without splits")
        return str(loaded.split or "all"), loaded
    chosen = wanted or ("train" if "train" in loaded else next(iter(loaded)) if len(loaded) == 1 else None)
    if chosen not in loaded:
        what = f"no split '{chosen}'" if chosen else "several splits, none of them 'train'"
        raise DataError(f"{name}: {what}", f"choose with --split: {', '.join(map(str, loaded))}")
    return str(chosen), loaded[chosen]


def _records(split: str, rows: Any, name: str, columns: Columns) -> Iterator[Record]:
    number = 0
    # The columns of streamed files are unknown before the first row is read.
    names = rows.column_names or []
    used = [one for one in names if wanted(one, columns)]
    unread = tuple(one for one in names if one not in used) if used else ()
    try:
        for number, fields in enumerate(rows.select_columns(used) if unread else rows, 1):
            yield Record(Path(split), number, dict(fields), unread)
    except (ArithmeticError, ImportError, LookupError, OSError, ValueError) as error:
        hint = "fetch it again, or leave out what needs another package"
        raise DataError(f"{name}: ended with an error after row {number}: {reason_of(error)}", hint) from None
