"""`lianzi bundle` and `lianzi generate`: make a bundle of a model trained elsewhere, and continue a text with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.artifacts import of_kind
from components.errors import ArtifactError, DataError, ParameterError
from components.runtime.manifest import BESIDE
from components.staging import check_place

if TYPE_CHECKING:
    from components.deployment.config import GateConfig
    from components.deployment.folder_bundle import BundleOptions

CORPUS = Path("artifacts/corpus")
ROWS = 256
"""The largest number of texts for the comparison with PyTorch, taken evenly from all texts."""


@click.command("bundle")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--rungs",
    default="fp32,int8,int4",
    show_default=True,
    help="Rungs to try, separated by commas; fp32 is always included.",
)
@click.option(
    "--rows", type=click.Path(path_type=Path), help="Held-out texts: one on each line, or JSON lines with `text`."
)
@click.option("--name", help="Name of the model for clients (default: the folder's name).")
@click.option(
    "--opset", default=20, show_default=True, type=click.IntRange(18, 26), help="Version of ONNX's operators."
)
@click.option("--max-batch", default=16, show_default=True, type=click.IntRange(1), help="Rows of one step.")
@click.option(
    "--max-length",
    default=2048,
    show_default=True,
    type=click.IntRange(8),
    help="Largest number of tokens, at most the model's.",
)
@click.option("--speed/--no-speed", default=True, help="Refuse a rung that is no faster here than the one above it.")
def command(
    model: Path,
    bundle: Path,
    rungs: str,
    rows: Path | None,
    name: str | None,
    opset: int,
    max_batch: int,
    max_length: int,
    speed: bool,
) -> None:
    """Turn MODEL, a folder with safetensors weights, into BUNDLE: ONNX graphs proven against PyTorch.

    A decoder or encoder-decoder generates text, an encoder makes sentence embeddings, a classifier, tagger
    or regressor answers. The limits are params.yaml's, section gate. See docs/generation.md.
    """
    from components.deployment.folder_bundle import BundleOptions, rungs_named

    options = BundleOptions(rungs_named(rungs), opset, max_batch, max_length, speed)
    bundle_model(model, bundle, rows, name, options)


@click.command("generate")
@click.argument("what", metavar="TASK|BUNDLE")
@click.argument("prompt")
@click.option("--max-tokens", default=128, show_default=True, type=click.IntRange(1), help="Tokens of the answer.")
@click.option(
    "--temperature", default=0.0, show_default=True, type=click.FloatRange(0), help="0: the most likely token."
)
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--seed", type=click.IntRange(0), help="Seed: the same text again.")
@click.option("--stop", multiple=True, help="A text that ends the answer; may be given several times.")
@click.option("--chat", is_flag=True, help="PROMPT is a message to the assistant.")
@click.option("--rung", help="fp32, int8 or int4 (default: the shipped one).")
def generate(what: str, prompt: str, chat: bool, rung: str | None, **sampling: Any) -> None:
    """Print how the champion of TASK, or the model in the folder BUNDLE, carries PROMPT on, as it comes."""
    from components.runtime.generation.generator import Sampling, load_generator

    by = Sampling(**sampling)
    generator = load_generator(folder_of(what), rung, threads=os.cpu_count() or 1)
    ids = generator.chat([{"role": "user", "content": prompt}]) if chat else generator.encode(prompt)
    if chat:
        by = replace(by, stop=by.stop + generator.chat_stops)
    for text in generator.generate(ids, by):
        click.echo(text, nl=False)
    click.echo()


def folder_of(what: str) -> Path:
    """The folder of a bundle; for a task of the current project, its champion's. Raises ArtifactError."""
    folder = Path(what)
    if folder.is_dir() or not in_project():
        return folder
    from cli.predict import champion_folder
    from components.params import load_params

    return champion_folder(what) if what in load_params(Path("params.yaml")).tasks else folder


def in_project() -> bool:
    """Whether the working directory is in a project: other folders may have a params.yaml too."""
    return all(Path(name).is_file() for name in ("dvc.yaml", "params.yaml"))


def bundle_model(model: Path, bundle: Path, rows: Path | None, name: str | None, options: BundleOptions) -> None:
    """Make the bundle and print the progress. Raises LianziError."""
    from components.deployment.folder_bundle import check_apart, make_bundle

    if not model.is_dir():
        raise ArtifactError(f"{model}: no such folder", "give the folder of a transformers model")
    check_apart(model, bundle)
    check_place(bundle, of_kind("bundle", BESIDE))
    texts = held_out_texts(rows)
    make_bundle(model, bundle, texts, options, gate_limits(), name, click.echo)
    click.echo(f"{bundle}: `lianzi serve {bundle}` serves it")


def gate_limits() -> GateConfig:
    """The limits of the current project; elsewhere the defaults."""
    from cli.project_files import files_folder
    from components.params import load_params

    return load_params((Path() if in_project() else files_folder()) / "params.yaml").gate


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
    """At most ROWS of them, evenly spaced."""
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
