"""The inputs of a training: existing artifacts, and dummies of the configured shapes for the missing ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from components.artifacts import read_manifest
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.params import Params
from components.planning import dummy_artifacts
from components.tasks.rows import read_split, read_task
from components.tasks.task import parts


@dataclass
class Inputs:
    """Finds or creates the inputs of one stage. `stale`: artifacts of stages that will run before this one.

    `folder`: for trial runs, and for dummies, which the next stages of the task take too; `tokenizer` and `data`: their
    paths in the graph; `made_up`: the names of the dummies.
    """

    params: Params
    folder: Path
    tokenizer: Path
    data: Path
    stale: frozenset[Path]
    made_up: list[str] = field(default_factory=list)

    @property
    def trials(self) -> Path:
        """The folder of what trial runs read and write, and nobody reads after them."""
        return self.folder / "trials"

    def tokenizer_folder(self, texts: Sequence[Path]) -> Path:
        """The tokenizer, if these params gave it; `texts`: task artifacts to train a dummy on."""
        config = self.params.train_tokenizer
        if self.there(self.tokenizer):
            return self.tokenizer
        if config.imported is not None:
            taken = self.folder / "imported tokenizer"
            if not taken.exists():
                dummy_artifacts.imported_tokenizer(taken, config, config.imported)
            return taken
        size = config.vocab_size
        if self.tokenizer.exists() and _vocabulary(self.tokenizer) == size:
            return self.tokenizer
        made = self._made_up("tokenizer")
        if not made.exists():
            dummy_artifacts.tokenizer(made, size, (text for rows in texts for text in _texts(rows)))
        return made

    def tokens_folder(self, tokens: Path, tokenizer: Path) -> Path:
        """The packed tokens, if this tokenizer encoded them."""
        size = _vocabulary(tokenizer)
        if tokens.exists() and tokenizer == self.tokenizer and read_manifest(tokens, "tokens")["vocab_size"] == size:
            return tokens
        made = self._made_up("tokens")
        if not made.exists():
            dummy_artifacts.tokens(made, size, self.params.pretrain.sequence_length)
        return made

    def rows_folder(self, rows: Path, task: str) -> Path:
        """A task's rows, curated here from data/ where the artifact does not exist."""
        if rows.exists():
            return rows
        made = self.folder / "rows"
        if not made.exists():
            curate_task(self.params.tasks[task], self.data / "tasks" / task, self.data, made, Removals())
        return made

    def pretrained_folder(self, pretrained: Path, tokenizer: Path) -> Path:
        """The pretrained model, if these params gave it."""
        if self.there(pretrained):
            return pretrained
        made = self._made_up("pretrained")
        if not made.exists():
            dummy_artifacts.pretrained(made, self.params, tokenizer)
        return made

    def teacher_folder(self, teacher: Path, rows: Path, tokenizer: Path) -> Path:
        """The fine-tuned teacher, if these params gave it."""
        if self.there(teacher):
            return teacher
        made = self._made_up("teacher")
        if not made.exists():
            dummy_artifacts.teacher(made, read_task(rows), self.pretrained_folder(self.folder / "nothing", tokenizer))
        return made

    def there(self, path: Path) -> bool:
        """Whether an artifact exists and no stage will replace it."""
        return path.exists() and path not in self.stale

    def _made_up(self, name: str) -> Path:
        if name not in self.made_up:
            self.made_up.append(name)
        return self.folder / name


def longest_places(lengths: Sequence[int], count: int) -> list[int]:
    """The indices of the `count` longest, in order."""
    return sorted(np.argsort(lengths, kind="stable")[-count:].tolist())


def spread_places(lengths: Sequence[int], count: int) -> list[int]:
    """The indices of `count` rows with the length distribution of the whole, in order."""
    by_length = np.argsort(lengths, kind="stable")
    chosen = np.linspace(0, len(lengths) - 1, min(count, len(lengths))).round().astype(int)
    return sorted(by_length[chosen].tolist())


def _vocabulary(tokenizer: Path) -> int:
    return int(read_manifest(tokenizer, "tokenizer")["vocab_size"])


def _texts(rows: Path) -> Iterator[str]:
    task = read_task(rows)
    for row in read_split(rows / "train.jsonl", task):
        yield from parts(task.text(row))
