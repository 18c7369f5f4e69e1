"""The commands about bundles: made of a language model, finished for a GPU, signed, handed to Triton."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from components.deployment.triton import TritonSettings

TRITON = TritonSettings()
PUBLIC_KEY = "LIANZI_PUBLIC_KEY"
"""Names the environment variable that holds the path of the key."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--rungs", default="fp32,int8,int4", show_default=True, help="To try, by commas; fp32 is always among them."
)
@click.option("--rows", type=click.Path(path_type=Path), help="Held-out texts: a line each, or JSON lines with `text`.")
@click.option("--name", help="What clients call the model (default: as its folder is called).")
@click.option("--opset", default=20, show_default=True, type=click.IntRange(18, 26))
@click.option("--max-batch", default=16, show_default=True, type=click.IntRange(1), help="Rows of one step.")
@click.option(
    "--max-length", default=2048, show_default=True, type=click.IntRange(8), help="Tokens, never more than the model's."
)
@click.option("--speed/--no-speed", default=True, help="Refuse a rung that is no faster here than the one above it.")
def bundle(
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

    A decoder or encoder-decoder generates text, an encoder makes sentence embeddings. See docs/generation.md.
    """
    from components.deployment.generation.bundle import BundleOptions, rungs_named
    from flows.bundle import bundle_model

    options = BundleOptions(rungs_named(rungs), opset, max_batch, max_length, speed)
    bundle_model(model, bundle, rows, name, options)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--max-tokens", default=128, show_default=True, type=click.IntRange(1))
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0), help="0: the likeliest token.")
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--seed", type=click.IntRange(0), help="The same text again.")
@click.option("--stop", multiple=True, help="A text that ends the answer; may be repeated.")
@click.option("--chat", is_flag=True, help="PROMPT is a message to the assistant.")
@click.option("--rung", help="fp32, int8 or int4 (default: the shipped one).")
def generate(bundle: Path, prompt: str, **options: Any) -> None:
    """Print how the model in BUNDLE carries PROMPT on, as it comes."""
    from flows.bundle import Ask
    from flows.bundle import generate as pieces

    for piece in pieces(bundle, prompt, Ask(**options)):
        click.echo(piece, nl=False)
    click.echo()


@click.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--engine", required=True, metavar="NAME", help="tensorrt, tensorrt-rtx, openvino, onnxruntime-cuda, …")
@click.option("--rung", help="The graph to build from (default: the one the bundle was tried with).")
@click.option("--version-compatible", is_flag=True, help="TensorRT: loads in later versions too.")
@click.option("--hardware-compatible", is_flag=True, help="TensorRT: loads on every GPU from Ampere on.")
@click.option("--refit", is_flag=True, help="TensorRT: weights can be exchanged.")
@click.option("--max-difference", default=0.05, show_default=True, help="Of an output, that is still allowed.")
def build(bundle: Path, engine: str, rung: str | None, max_difference: float, **options: bool) -> None:
    """Build an engine for this machine from the graph in the folder BUNDLE, run it, and compare the two.

    Needs the engine's own library, numpy and onnxruntime: nothing that trains. See docs/deployment.md.
    """
    from components.inference.engines import BuildOptions
    from flows.build import build_bundle

    build_bundle(engine, bundle, rung, BuildOptions(**options), max_difference)


@click.command()
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
def triton(bundle: Path, folder: Path, engine: str, **settings: int) -> None:
    """Write a Triton model repository of BUNDLE into FOLDER; with --engine tensorrt also a plan for this GPU."""
    from components.deployment.triton import write_repository

    for path in write_repository(bundle, folder, replace(TRITON, **settings), plan=engine == "tensorrt"):
        click.echo(path)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keygen(file: Path) -> None:
    """Make a key to sign bundles with: FILE, which only you can read, and FILE.pub, for everyone."""
    from components.runtime.signing import make_keys

    click.echo(f"{file}\n{make_keys(file)}")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The private key, of `lianzi keygen`.")
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE: write manifest.sig into it."""
    from components.runtime.signing import sign_bundle

    click.echo(sign_bundle(bundle, key))


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--public-key", required=True, envvar=PUBLIC_KEY, type=click.Path(path_type=Path))
def verify(bundle: Path, public_key: Path) -> None:
    """Check that every file of BUNDLE is as it was when it was signed."""
    from components.runtime.signing import verify_bundle

    verify_bundle(bundle, public_key)
    click.echo(f"{bundle}: signed, and every file as it was then")


COMMANDS: tuple[click.Command, ...] = (bundle, generate, build, triton, keygen, sign, verify)
