"""`lianzi bundle`: a language model that was trained anywhere becomes a bundle; `lianzi generate` asks one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import of_kind
from components.errors import ArtifactError, DataError, ParameterError
from components.runtime.manifest import BESIDE
from components.staging import check_place

if TYPE_CHECKING:
    from components.deployment.generation.bundle import BundleOptions

CORPUS = Path("artifacts/corpus")
ROWS = 256
"""Texts that a model is proven on, at most, taken evenly from all that there are."""


def bundle_model(model: Path, bundle: Path, rows: Path | None, name: str | None, options: BundleOptions) -> None:
    """Make the bundle, telling how it goes. Raises LianziError."""
    import click

    from components.deployment.generation.bundle import check_apart, make_bundle

    if not model.is_dir():
        raise ArtifactError(f"{model}: no such folder", "give the folder of a transformers model")
    check_apart(model, bundle)
    check_place(bundle, of_kind("bundle", BESIDE))
    texts = held_out_texts(rows)
    make_bundle(model, bundle, texts, options, name, click.echo)
    click.echo(f"{bundle}: `lianzi serve {bundle}` serves it")


def held_out_texts(rows: Path | None) -> list[str]:
    """Texts of a file, a line each or the `text` of JSON lines; by default the corpus' validation split.

    Raises DataError where the file holds none, ParameterError where there is neither.
    """
    if rows is not None:
        return spread(list(_file_texts(rows)))
    from components.corpus.documents import read_documents

    if not (CORPUS / "validation").is_dir():
        raise ParameterError(
            f"no held-out text: {CORPUS} is not here", "--rows FILE, or work in a project whose corpus is curated"
        )
    batches = read_documents(CORPUS, "validation", ["text"])
    return spread([text for batch in batches for text in batch["text"].to_pylist()])


def spread(texts: list[str]) -> list[str]:
    """At most ROWS of them, evenly."""
    step = max(1, len(texts) / ROWS)
    return [texts[int(place * step)] for place in range(min(len(texts), ROWS))]


def _file_texts(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start})") from None
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not full:
        raise DataError(f"{path}: no text in it")
    for number, line in full:
        yield _json_text(path, number, line) if path.suffix in (".jsonl", ".json") else line


def _json_text(path: Path, number: int, line: str) -> str:
    try:
        row = json.loads(line)
    except ValueError:
        raise DataError(f"{path}:{number}: not JSON") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise DataError(f"{path}:{number}: no `text`")
    return str(row["text"])


@dataclass(frozen=True)
class Ask:
    """How `lianzi generate` carries a prompt on."""

    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]
    chat: bool
    rung: str | None


def generate(bundle: Path, prompt: str, ask: Ask) -> Iterator[str]:
    """The pieces of the answer as they come."""
    from components.runtime.generation.generator import Sampling, load_generator

    sampling = Sampling(ask.max_tokens, ask.temperature, ask.top_p, ask.seed, ask.stop)
    generator = load_generator(bundle, ask.rung, threads=os.cpu_count() or 1)
    ids = generator.chat([{"role": "user", "content": prompt}]) if ask.chat else generator.encode(prompt)
    return generator.generate(ids, sampling)
