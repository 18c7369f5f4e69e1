"""A task's labelled rows: data/tasks/NAME/{train,validation,test}.* -> artifacts/tasks/NAME.

The held-out splits come first: a row that stands in the test split may stand in neither of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from components.artifacts import write_manifest
from components.corpus.encoding import compared_form, decoded_right, is_lost, mark_of, normalise
from components.corpus.files import notices
from components.corpus.parallel import SOURCE, TARGET, read_rows
from components.corpus.personal_data import scrubbed_around_code
from components.corpus.quarantine import Quarantine, write_row
from components.corpus.read import COMPRESSIONS, READERS, split_name
from components.corpus.removals import TASKS, Removals
from components.corpus.row_form import RowForm, form_of, is_pair
from components.errors import DataError
from components.run import Metrics
from components.tasks.config import TaskConfig
from components.tasks.kinds import task_kind
from components.tasks.task import Column, Task, Text

HELD_OUT = ("test", "validation")
SPLITS = (*HELD_OUT, "train")
_DONE = ("repaired", "scrubbed")


@dataclass(frozen=True)
class Labelled:
    """What was found of a task, and what became of each of its rows: read = kept + rejected, in every split.

    `rejected`: split -> reason -> rows; `missing`: held-out split -> labels that none of its rows has; `unread`: column
    that nothing is made of -> the file it stands in, `used`: the others; `samples`: a few rejected rows of each reason;
    `repaired`: rows kept whose text was decoded wrongly and was put right; `scrubbed`: rows kept that personal data was
    taken out of; `train_classes`: label, or type of entity -> how often the train rows have it; none of numbers.
    """

    kept: dict[str, int]
    rejected: dict[str, dict[str, int]]
    repaired: int
    scrubbed: int
    task: Task
    held_out: dict[str, list[str]]
    missing: dict[str, list[str]]
    used: tuple[str, ...]
    unread: dict[str, str]
    samples: dict[str, list[dict[str, Any]]]
    train_classes: dict[str, int]

    @property
    def quarantined(self) -> dict[str, int]:
        """Rows by reason, of all splits together, the most frequent first."""
        total: Counter[str] = Counter()
        for reasons in self.rejected.values():
            total.update(reasons)
        return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))

    @property
    def read(self) -> dict[str, int]:
        """Rows in the files, by split."""
        return {split: count + sum(self.rejected[split].values()) for split, count in self.kept.items()}

    def metrics(self) -> Metrics:
        read, rejected = sum(self.read.values()), sum(self.quarantined.values())
        changed = {"repaired": self.repaired, "scrubbed": self.scrubbed}
        classes = {"classes": len(self.train_classes)} if self.train_classes else {}
        return {**self.kept, "read": read, "quarantined": rejected, **changed, **classes}

    def account(self) -> str:
        """One line: rows kept and read, by split, and why the others are not."""
        read, kept = sum(self.read.values()), sum(self.kept.values())
        splits = ", ".join(f"{split} {self.kept[split]:,} of {self.read[split]:,}" for split in reversed(SPLITS))
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.quarantined.items())
        return f"{kept:,} of {read:,} labelled rows kept ({splits})" + (f"; quarantined: {reasons}" if reasons else "")

    def remarks(self) -> list[str]:
        """What a person should know of the task beside its counts."""
        lines = [f"no {split} row has the label {_some(labels)}" for split, labels in self.missing.items() if labels]
        lines += [f"{self.repaired:,} texts were decoded wrongly and were put right"] if self.repaired else []
        lines += [f"personal data was taken out of {self.scrubbed:,} rows"] if self.scrubbed else []
        used = ", ".join(self.used)
        lines += [f"{file}: the column '{name}' is not used; used are {used}" for name, file in self.unread.items()]
        return lines


@dataclass(frozen=True)
class _Row:
    place: str
    id: str
    texts: tuple[str, ...]
    target: Any
    repaired: bool
    scrubbed: bool

    @property
    def text(self) -> Text:
        return self.texts[0] if len(self.texts) == 1 else self.texts


def curate_task(
    config: TaskConfig, folder: Path, root: Path, target: Path, removals: Removals, scrub: Collection[str] = frozenset()
) -> Labelled:
    """Write the rows of a task. scrub: the kinds of personal data that are taken out of them.

    Raises DataError for a missing split, for labels the train split does not have and for numbers that are not finite.
    """
    form = form_of(config)
    files = {split: split_file(folder, split) for split in SPLITS}
    target.mkdir(parents=True)
    seen: dict[bytes, _Row] = {}
    splits: dict[str, list[_Row]] = {}
    rejected: dict[str, dict[str, int]] = {}
    unread: dict[str, str] = {}
    with (target / "quarantine.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        quarantine = Quarantine(stream, root)
        for split, path in files.items():
            before = quarantine.counts.copy()
            splits[split] = _clean_rows(path, split, quarantine, seen, removals, unread, scrub, form)
            rejected[split] = dict(quarantine.counts - before)
    kind = task_kind(config.kind)
    task = _fitted(partial(kind.fit, **config.of_task()), is_pair(config), splits, kind.fits_every_split)
    for split, rows in splits.items():
        with (target / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
            for row in rows:
                write_row(stream, {"id": row.id, **task.row(row.text, row.target)})
    kept = {split: len(rows) for split, rows in splits.items()}
    counts = {"read": sum(kept.values()) + quarantine.counts.total(), "kept": kept, **dict(quarantine.counts)}
    repaired, scrubbed = (sum(getattr(row, done) for rows in splits.values() for row in rows) for done in _DONE)
    details: dict[str, Any] = {
        **task.manifest(),
        "columns": task.row_columns,
        "counts": counts,
        "repaired": repaired,
        "scrubbed": scrubbed,
        "notices": notices(root),
    }
    held_out = {split: [text for row in splits[split] for text in _held_out(task, row)] for split in HELD_OUT}
    classes = {split: _classes(task, rows) for split, rows in splits.items()}
    missing = {split: sorted({*classes["train"]} - {*classes[split]}) for split in HELD_OUT}
    if classes["train"]:
        details["train_classes"] = classes["train"]
    write_manifest(target, "task", {"rows": folder}, **details)
    return Labelled(
        kept,
        rejected,
        repaired,
        scrubbed,
        task,
        held_out,
        missing,
        form.columns,
        unread,
        quarantine.samples,
        classes["train"],
    )


def _held_out(task: Task, row: _Row) -> list[str]:
    """The texts of a row that no document may give away: those it is asked with, and the one it is answered with."""
    written = [row.target] if task.columns[task.target] == Column.TARGET else []
    return [task.plain(text) for text in (*row.texts, *written)]


def _classes(task: Task, rows: Sequence[_Row]) -> dict[str, int]:
    """How often rows have each label, or each type of entity; nothing for numbers."""
    return dict(sorted(Counter(name for row in rows for name in task.classes(row.target)).items()))


def check_task(config: TaskConfig, folder: Path) -> None:
    """Raises DataError for a missing split, and for one whose first row has not the columns of a labelled row."""
    form = form_of(config)
    for split in SPLITS:
        for row in islice(form.records(next(read_rows(split_file(folder, split), form.columns))), 1):
            form.read(row)


def split_file(folder: Path, split: str) -> Path:
    """The one data file of a split, or the first of two that stand side by side. Raises DataError for other numbers."""
    if not folder.is_dir():
        hint = f"put its rows there, or take '{folder.name}' out of `tasks:` in params.yaml"
        raise DataError(f"{folder}: missing, and params.yaml names the task '{folder.name}'", hint)
    found = sorted(path for path in folder.iterdir() if path.name.split(".")[0] == split)
    if not found:
        known = ", ".join(f"{split}{extension}" for extension in READERS)
        packed = ", ".join(COMPRESSIONS)
        raise DataError(f"{folder}: no {split} rows", f"expected one of {known}, each also with {packed}")
    if [path.name for path in found] == [f"{split}{SOURCE}", f"{split}{TARGET}"]:
        return found[0]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(
            f"{folder}: {names} both claim to be the {split} split",
            f"keep one of them; texts and what answers them, line by line, are {split}{SOURCE} and {split}{TARGET}",
        )
    split_name(found[0])
    return found[0]


class Scrubber:
    """Takes personal data of these kinds out of texts; `changed`: whether there was any."""

    def __init__(self, kinds: Collection[str]) -> None:
        self.kinds = kinds
        self.changed = False

    def __call__(self, text: str) -> str:
        if not self.kinds:
            return text
        clean, changes = scrubbed_around_code(text, self.kinds)
        self.changed |= bool(changes)
        return clean


def _clean_rows(
    path: Path,
    split: str,
    quarantine: Quarantine,
    seen: dict[bytes, _Row],
    removals: Removals,
    unread: dict[str, str],
    scrub: Collection[str],
    form: RowForm,
) -> list[_Row]:
    """The rows to keep; `seen` are those of the splits before, and gains these; `unread` gains columns not used."""
    rows: list[_Row] = []
    ids: set[str] = set()
    for record in (row for one in read_rows(path, form.columns) for row in form.records(one)):
        if (found := form.read(record)) is None:
            continue
        given, target_of = found
        right = tuple(map(decoded_right, given))
        texts = tuple(map(normalise, right))
        scrubber = Scrubber(scrub)
        clean = tuple(map(scrubber, texts))
        target = target_of(*clean)
        if target is not None:
            target = form.written(target, scrubber)
        row = _Row(record.place, f"{split}/{record.name}", clean, target, right != given, scrubber.changed)
        for name in (*record.fields, *record.unread):
            if name not in form.columns:
                unread.setdefault(name, path.name)
        text, compared = "\n".join(texts), compared_form("\n".join(given))
        mark = mark_of(compared)
        if not all(texts):
            reason = "empty"
        elif row.target is None:
            reason = form.lost
        elif form.own_ids and row.id in ids:
            reason = "repeated_id"
        elif any(map(is_lost, texts)):
            reason = "broken_encoding"
        elif removals.has(TASKS, f"{path.parent.name}/{row.id}", mark, text, compared):
            reason = "removed"  # and no other is a repetition of it: its text would stand in quarantine
        else:
            other = seen.setdefault(mark if len(given) == 1 else form.mark(given), row)
            reason = "" if other is row else _repetition(row, other, form)
        if reason:
            quarantine.put(record, row.id, text, reason)
        else:
            rows.append(row)
        ids.add(row.id)
    if not rows:
        raise DataError(f"{path}: no {split} row is left", "all are empty or stand in a held-out split")
    return rows


def _some(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(f"'{name}'" for name in names[:shown]) + more


def _repetition(row: _Row, other: _Row, form: RowForm) -> str:
    """What is wrong with a row whose text another one has."""
    split = other.id.partition("/")[0]
    if split != row.id.partition("/")[0]:
        return f"in_task_{split}"
    same = form.answer(row.texts, row.target) == form.answer(other.texts, other.target)
    return "duplicate" if same else "label_conflict"


def _fitted(
    fit: Callable[[Sequence[Any]], Task], pair: bool, splits: dict[str, list[_Row]], every_split: bool = False
) -> Task:
    """The task of these rows. Raises DataError where the train rows make none, or a held-out row does not fit it.

    `every_split`: what rows are answered with is known of held-out ones too.
    """
    train = splits["train"]
    fitted_to = [row for rows in splits.values() for row in rows] if every_split else train
    try:
        task = replace(fit([row.target for row in fitted_to]), pair=pair)
    except ValueError as error:
        raise DataError(f"{train[0].place}: {error}", "look at the train rows' labels") from None
    for split in ("validation", "test"):
        for row in splits[split]:
            try:
                task.check(row.target)
            except ValueError as error:
                known = ", ".join(task.labels[:12])
                raise DataError(f"{row.place}: {error}", f"known from the train rows: {known}") from None
    return task
