"""`lianzi triton`: a bundle as a model repository for Triton."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from components.deployment.triton import TritonSettings

TRITON = TritonSettings()


@click.command("triton")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--engine", type=click.Choice(["onnxruntime", "tensorrt"]), default="onnxruntime", show_default=True)
@click.option(
    "--delay", default=TRITON.delay, show_default=True, type=click.IntRange(0), help="Microseconds to fill a batch."
)
@click.option(
    "--max-queue", default=TRITON.max_queue, show_default=True, type=click.IntRange(1), help="Requests waiting."
)
@click.option("--instances", default=TRITON.instances, show_default=True, type=click.IntRange(1), help="Of each model.")
@click.option(
    "--pad-to", default=TRITON.pad_to, show_default=True, type=click.IntRange(1), help="Multiple of tokens a row."
)
def command(bundle: Path, folder: Path, engine: str, **settings: int) -> None:
    """Write a Triton model repository of BUNDLE into FOLDER; with --engine tensorrt also a plan for this GPU."""
    from components.deployment.triton import write_repository

    for path in write_repository(bundle, folder, replace(TRITON, **settings), plan=engine == "tensorrt"):
        click.echo(path)
