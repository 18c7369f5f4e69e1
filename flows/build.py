"""`lianzi build`: on the machine that will serve, finish what another prepared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from components.artifacts import verify
from components.deployment.engine_store import engine_folder, write_status
from components.deployment.engines import ENGINES, BuildOptions, Engine, Profile, TensorRT
from components.deployment.trial import BUILT_NOT_RUN, build_and_try, read_samples
from components.errors import ArtifactError, EngineError, ParameterError


def build_bundle(
    name: str, bundle: Path, rung: str | None, options: BuildOptions, max_difference: float
) -> dict[str, Any]:
    """Build an engine from a bundle's graph into the engine store, try it, and note beside it what came of it.

    Raises ArtifactError, ParameterError, EngineError; also where the engine is further from its graph than allowed.
    """
    manifest = verify(bundle, "bundle")
    engine = chosen_engine(name, options)
    graph, profile = bundle / chosen_rung(bundle, manifest, name, rung), bundle_profile(manifest)
    print(f"building {name} {engine.version()} from {graph} for {profile}", flush=True)
    status = build_and_try(engine, graph, profile, read_samples(bundle), say=print)
    if status.get("max_difference", 0.0) > max_difference:
        status |= {"status": "refused", "reason": f"its outputs differ by {status['max_difference']:g}"}
    folder = bundle if engine.writes is None else engine_folder(engine, graph, profile)
    if engine.writes is not None:
        write_status(folder, status)
    tell(name, status, folder)
    if status["status"] == "refused":
        raise EngineError(f"{name}: {status['reason']}, {max_difference:g} is allowed", "see --max-difference")
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


def chosen_rung(bundle: Path, manifest: dict[str, Any], name: str, rung: str | None) -> str:
    """The graph to build from: the one named, the one the bundle was tried with, or the float one."""
    rungs: dict[str, str] = manifest["rungs"]
    chosen = rung or manifest["engines"].get(name, {}).get("rung", "fp32")
    if chosen not in rungs:
        raise ArtifactError(f"{bundle}: no rung '{chosen}'", f"it has {', '.join(rungs)}")
    return rungs[chosen]


def bundle_profile(manifest: dict[str, Any]) -> Profile:
    """The shapes that a bundle was made for."""
    return Profile(manifest["max_batch"], manifest["max_length"])


def tell(name: str, status: dict[str, Any], folder: Path) -> None:
    """What became of it, for whoever asked."""
    print(f"engine {name}: {status['status']}" + (f" ({status['reason']})" if "reason" in status else ""))
    if "agreement" in status:
        print(
            f"on {status['samples']} inputs ({status['inputs']}) it differs from its graph by "
            f"{status['max_difference']:g} at most; answers agree on {status['agreement']:.1%}"
        )
    elif status["status"] == BUILT_NOT_RUN:
        print("nothing was compared: run `lianzi build` where its GPU is")
    print(f"kept in {folder}")
