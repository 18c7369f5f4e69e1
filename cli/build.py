"""`lianzi build` and `lianzi triton`: prepare a bundle for the machine, or the server, that will run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from components.deployment.triton import TritonSettings
from components.errors import ArtifactError, EngineError, ParameterError
from components.inference.engine_store import engine_folder, write_status
from components.inference.engines import ENGINES, BuildOptions, Engine, Profile, TensorRT
from components.inference.trial import BUILT_NOT_RUN, build_and_try, read_samples
from components.runtime.manifest import whole_bundle

REFUSED = "refused"
TRITON = TritonSettings()


@click.command("build")
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--engine", required=True, metavar="NAME", help="tensorrt, tensorrt-rtx, openvino, onnxruntime-cuda, …")
@click.option("--rung", help="The graph to build from (default: the one the bundle was tried with).")
@click.option("--version-compatible", is_flag=True, help="TensorRT: loads in later versions too.")
@click.option("--hardware-compatible", is_flag=True, help="TensorRT: loads on every GPU from Ampere on.")
@click.option("--refit", is_flag=True, help="TensorRT: weights can be exchanged.")
@click.option("--max-difference", default=0.05, show_default=True, help="Largest allowed difference of an output.")
def command(bundle: Path, engine: str, rung: str | None, max_difference: float, **options: bool) -> None:
    """Build an engine for this machine from the graph in the folder BUNDLE, run it, and compare the two.

    Needs the engine's own library, numpy and onnxruntime: nothing that trains. See docs/deployment.md.
    """
    build_bundle(engine, bundle, rung, BuildOptions(**options), max_difference)


@click.command("triton")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--engine", type=click.Choice(["onnxruntime", "tensorrt"]), default="onnxruntime", show_default=True)
@click.option(
    "--delay", default=TRITON.delay, show_default=True, type=click.IntRange(0), help="Microseconds to fill a batch."
)
@click.option(
    "--max-queue",
    default=TRITON.max_queue,
    show_default=True,
    type=click.IntRange(1),
    help="Largest number of waiting requests.",
)
@click.option(
    "--instances", default=TRITON.instances, show_default=True, type=click.IntRange(1), help="Copies of each model."
)
@click.option(
    "--pad-to",
    default=TRITON.pad_to,
    show_default=True,
    type=click.IntRange(1),
    help="Rows are padded to a multiple of so many tokens.",
)
def triton(bundle: Path, folder: Path, engine: str, **settings: int) -> None:
    """Write a Triton model repository of BUNDLE into FOLDER; with --engine tensorrt also a plan for this GPU."""
    from components.deployment.triton import write_repository

    for path in write_repository(bundle, folder, replace(TRITON, **settings), plan=engine == "tensorrt"):
        click.echo(path)


def build_bundle(
    name: str, bundle: Path, rung: str | None, options: BuildOptions, max_difference: float
) -> dict[str, dict[str, Any]]:
    """Build engines from a bundle's graphs into the engine store, try them, and write the result beside each.

    Graph -> status: a classifier has one graph, a language model one or two. Raises ArtifactError, ParameterError,
    EngineError; also where an engine differs from its graph by more than the limit.
    """
    manifest = whole_bundle(bundle)
    engine = chosen_engine(name, options)
    found = {}
    for graph in chosen_graphs(bundle, manifest, name, rung):
        profile = Profile(manifest["max_batch"], manifest["max_length"])
        print(f"building {name} {engine.version()} from {graph} for {profile}", flush=True)
        found[graph.stem] = build_graph(engine, graph, profile, read_samples(bundle), max_difference)
    refused = [status["reason"] for status in found.values() if status["status"] == REFUSED]
    if refused:
        raise EngineError(f"{name}: {refused[0]}, {max_difference:g} is allowed", "see --max-difference")
    return found


def build_graph(
    engine: Engine, graph: Path, profile: Profile, samples: list[dict[str, np.ndarray]], max_difference: float
) -> dict[str, Any]:
    """Build, try and check one engine; the result is written beside it in the store, and on the console."""
    status = build_and_try(engine, graph, profile, samples, say=print)
    if status.get("max_difference", 0.0) > max_difference:
        status |= {"status": REFUSED, "reason": f"its outputs differ by {status['max_difference']:g}"}
    if engine.writes is not None:
        write_status(engine_folder(engine, graph, profile), status)
    tell(engine.name, status)
    if engine.writes is not None:
        print(f"kept in {engine_folder(engine, graph, profile)}")
    return status


def chosen_engine(name: str, options: BuildOptions) -> Engine:
    """The engine of that name, with these options. Raises ParameterError, EngineError."""
    if name not in ENGINES:
        raise ParameterError(f"no engine '{name}'", f"known: {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if options != BuildOptions():
        if not isinstance(engine, TensorRT):
            raise ParameterError(f"{name} has no such options", "they are for tensorrt and tensorrt-rtx")
        engine = replace(engine, options=options)
    reason = engine.available()
    if reason:
        raise EngineError(f"{name}: {reason}")
    return engine


def chosen_graphs(bundle: Path, manifest: dict[str, Any], name: str, rung: str | None) -> list[Path]:
    """The graphs to build from: those of the named rung, of the rung with which the bundle was tried, or of the float
    rung.
    """
    rungs: dict[str, dict[str, str]] = manifest["rungs"]
    chosen = rung or manifest.get("engines", {}).get(name, {}).get("rung", "fp32")
    if chosen not in rungs:
        raise ArtifactError(f"{bundle}: no rung '{chosen}'", f"it has {', '.join(rungs)}")
    return [bundle / path for path in rungs[chosen].values()]


def tell(name: str, status: dict[str, Any]) -> None:
    """The result in words."""
    print(f"engine {name}: {status['status']}" + (f" ({status['reason']})" if "reason" in status else ""))
    if "agreement" in status:
        print(
            f"on {status['samples']} inputs ({status['inputs']}) it differs from its graph by "
            f"{status['max_difference']:g} at most; answers agree on {status['agreement']:.1%}"
        )
    elif status["status"] == BUILT_NOT_RUN:
        print("nothing was compared: run `lianzi build` where its GPU is")
