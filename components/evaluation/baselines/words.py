"""Texts cut into words, as methods that count words or look them up need them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.deployment.rows import Rows
    from components.tasks.task import Task

_ALONE = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])\w)+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case; of Chinese and Japanese each character is a word."""
    return [word.lower() for word in _WORD.findall(text)]


def task_words(task: Task, text: str) -> list[str]:
    """The words of a text that a tagger answers about, as they are written."""
    return [text[begin:end] for begin, end in task.words(text)]


def tagged(task: Task, rows: Rows) -> list[tuple[list[str], list[int]]]:
    """The words of each row, and the numbers of their tags."""
    texts = [task_words(task, text) for text in rows.texts]
    return [(words, row[: len(words)]) for words, row in zip(texts, rows.targets.tolist(), strict=True)]
