"""A file of parameters is parsed once for each content, where DVC parses it for each stage that names it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SUFFIXES = (".yaml", ".yml")


@contextmanager
def parsed_once() -> Iterator[None]:
    """In the block DVC's table of loaders has one for YAML that reads a file each time, and parses it where its content
    is new. Each reader gets a copy of its own, as if it had parsed the file.
    """
    from dvc.utils.serialize import LOADERS, load_yaml
    from dvc.utils.serialize._common import _load_data
    from dvc.utils.serialize._yaml import parse_yaml

    known: dict[tuple[Any, str], Any] = {}

    def parse(text: Any, path: Any) -> Any:
        if (text, str(path)) not in known:
            known[text, str(path)] = parse_yaml(text, path)
        return copy.deepcopy(known[text, str(path)])

    def load(path: Any, fs: Any = None, **words: Any) -> Any:
        return _load_data(path, parser=parse, fs=fs, **words)

    before = {suffix: LOADERS[suffix] for suffix in SUFFIXES}
    # Another DVC may load YAML in another way.
    taken = [suffix for suffix in SUFFIXES if before[suffix] is load_yaml]
    LOADERS.update(dict.fromkeys(taken, load))
    try:
        yield
    finally:
        LOADERS.update(before)
