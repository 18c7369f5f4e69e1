"""A bundle of a model from anywhere: graphs of every accepted rung, the tokenizer, the model card, the manifest.

models/RUNG/{model,decoder,encoder}.onnx, tokenizer.json, tokenizer_config.json, README.md, manifest.json with
`form`: "classification", "generation" or "embedding".
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx import ModelProto

from components.artifacts import PLAIN_NAME, is_plain_name, of_kind, write_manifest
from components.deployment.card import model_card
from components.deployment.description import BundleOptions, copy_tokenizer, describe
from components.deployment.generation.generation_config import callers_settings
from components.deployment.own_tokenizer import check_tokenizer
from components.deployment.quantizers import QUANTIZERS, quantized
from components.deployment.sentence_embedding.modules import step_name
from components.deployment.source import Source, load_weights, read_source
from components.deployment.variants import select_variants
from components.errors import DoesNotFit, ParameterError
from components.runtime.manifest import BESIDE, GENERATION, graph_file, read_bundle
from components.staging import staged

if TYPE_CHECKING:
    from components.deployment.config import GateConfig

Say = Callable[[str], None]


BYTES = {"fp32": 4.0, "int8": 1.0, "int4": 0.5}
"""Of a weight in each rung's graphs."""

COMPARED = 32
"""Texts that tokenizer.json is compared with transformers' own tokenizer on."""

APART = "name a new folder outside of it"


def rungs_named(text: str) -> tuple[str, ...]:
    """Rungs by commas, in the order of the ladder, fp32 always among them. Raises ParameterError."""
    known = ("fp32", *QUANTIZERS)
    asked = {rung.strip() for rung in text.split(",") if rung.strip()}
    unknown = sorted(asked - set(known))
    if unknown:
        raise ParameterError(f"--rungs: no rung '{unknown[0]}'", f"known: {', '.join(known)}")
    return tuple(rung for rung in known if rung in asked | {"fp32"})


def make_bundle(
    model: Path,
    bundle: Path,
    texts: Sequence[str],
    options: BundleOptions,
    limits: GateConfig,
    name: str | None = None,
    say: Say = print,
) -> dict[str, Any]:
    """Export, quantize, compare with PyTorch on `texts` by the gate's limits and write a bundle, whole
    or not at all. Returns its manifest.

    Raises, before anything is exported, ParameterError and ArtifactError where the bundle cannot have that name or lie
    there, and DoesNotFit where the disk has no room for it; ArtifactError where the folder cannot be bundled or the
    fp32 graphs do not answer as PyTorch does; DataError where the texts prove nothing.
    """
    import torch

    from components.deployment.generation.rehearsal import rehearse
    from components.deployment.sentence_embedding.reference import SentenceReference

    torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
    known_as = model_name(model, name)
    check_apart(model, bundle)
    with staged(bundle, of_kind("bundle", BESIDE)) as folder:
        source = read_source(model)
        details = describe(source, options, known_as)
        check_tokenizer(source, texts[:COMPARED])
        weights = load_weights(source, say)
        check_room(bundle, folder, weights.num_parameters(), options.rungs)
        say(f"{model.name}: {source.form}, {source.config.model_type}, {weights.num_parameters():,} parameters")
        for line in remarks(source, details):
            say(line)
        details |= {"parameters": weights.num_parameters()}
        if source.form != "classifier":
            rehearse(source, weights, texts, details["max_length"])
        copy_tokenizer(source, folder)
        say(f"exporting to ONNX, opset {options.opset}")
        graphs = export_graphs(source, weights, options.opset, details["max_length"])
        details["rungs"] = {"fp32": write_rung(folder, "fp32", graphs)}
        made, unmade = quantized(own_graphs(source, weights, graphs, options), options.rungs)
        details["rungs"] |= {rung: write_rung(folder, rung, graphs) for rung, graphs in made.items()}
        reference = SentenceReference(source, weights) if source.form == "encoder" else weights
        details |= select_variants(folder, details, reference, texts, limits, options.measure, say, unmade)
        (folder / "README.md").write_text(model_card(details), encoding="utf-8")
        write_manifest(folder, "bundle", {"model": model}, **details)
    say(f"ships {details['candidate']}: {details['candidate_because']}")
    return read_bundle(bundle)


def model_name(model: Path, name: str | None) -> str:
    """What clients call the model. Raises ParameterError for what cannot stand in an address."""
    found = name or model.resolve().name
    if not is_plain_name(found):
        raise ParameterError(f"{found!r:.200}: not a name for a model", f"--name gives it another: {PLAIN_NAME}")
    return found


def check_apart(model: Path, bundle: Path) -> None:
    """Raises ParameterError where one folder lies in the other, or is it."""
    one, other = model.resolve(), bundle.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ParameterError(
            f"{bundle}: {'the same folder as' if one == other else 'one inside the other:'} {model}", APART
        )


def check_room(bundle: Path, folder: Path, parameters: int, rungs: Sequence[str]) -> None:
    """Raises DoesNotFit where the disk has less room than the graphs will take, by their weights alone."""
    needed = int(sum(BYTES.get(rung, 4.0) for rung in rungs) * parameters)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DoesNotFit(
            f"{bundle}: takes about {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} are free there",
            "free some, or go elsewhere",
        )


def export_graphs(source: Source, weights: Any, opset: int, max_length: int) -> dict[str, ModelProto]:
    """The model's graphs by name."""
    from components.deployment.export import export_for_rows
    from components.deployment.generation.export import export_decoder, export_encoder, export_encoder_decoder
    from components.deployment.sentence_embedding.encoder import SentenceEncoder

    if source.form == "classifier":
        return {"model": export_for_rows(weights, opset, max_length)[0]}
    if source.form == "decoder":
        return {"decoder": export_decoder(weights, opset)}
    if source.form == "encoder":
        return {"encoder": export_encoder(SentenceEncoder(weights, source.modules.steps), opset)}
    return export_encoder_decoder(weights, opset)


def own_graphs(
    source: Source, weights: Any, graphs: dict[str, ModelProto], options: BundleOptions
) -> dict[str, ModelProto]:
    """The graphs that ONNX Runtime's own rungs are made of: exported anew for models that generate, where such rungs
    are asked for."""
    from components.deployment.generation.export import FUSED_OPSET

    if source.form not in ("decoder", "encoder-decoder") or set(options.rungs) <= {"fp32"}:
        return graphs
    return export_graphs(source, weights, max(options.opset, FUSED_OPSET), options.max_length)


def remarks(source: Source, details: dict[str, Any]) -> list[str]:
    """What a person should know of the bundle to come, a line each."""
    lines = []
    if source.form == "encoder":
        steps = " > ".join(step_name(step) for step in source.modules.steps)
        lines.append(f"vectors: {steps}, of at most {details['max_length']:,} tokens")
        if source.modules.prompt:
            lines.append(f"in front of every text: {source.modules.prompt!r}")
    elif details.get("rules"):
        lines.append(f"generation config: {', '.join(name for name in details['rules'] if name != 'end_ids')}")
    if details["max_length"] < source.length:
        lines.append(f"cut at {details['max_length']:,} tokens, the model takes {source.length:,}: see --max-length")
    if details["form"] == GENERATION and (own := callers_settings(source)):
        told = ", ".join(f"{name} {value}" for name, value in own.items())
        lines.append(f"not in the bundle, since each call names its own: {told}")
    return lines


def write_rung(folder: Path, rung: str, graphs: dict[str, ModelProto]) -> dict[str, str]:
    """Write a rung's graphs; their paths in the bundle by name."""
    paths = {name: graph_file(rung, name) for name in graphs}
    for name, graph in graphs.items():
        (folder / paths[name]).parent.mkdir(parents=True, exist_ok=True)
        (folder / paths[name]).write_bytes(graph.SerializeToString(deterministic=True))
    return paths
