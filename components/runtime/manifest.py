"""The manifest of a bundle, read by everyone who reads one: each field is what a reader takes it for, or ArtifactError.

A bundle may come from anywhere, and a hash that its own manifest holds proves nothing about the manifest. Written
without pydantic, which a machine that only answers need not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from components.artifacts import (
    MANIFEST,
    PLAIN_NAME,
    RESTORE,
    digest,
    is_plain_name,
    listed_file,
    read_json,
    read_manifest,
    real_file,
    verify,
)
from components.errors import ArtifactError

CLASSIFICATION, GENERATION, EMBEDDING = "classification", "generation", "embedding"
TOKENIZER = "tokenizer.json"
SIGNATURE, SPEED_FILE, SPEED_SIGNATURE = "manifest.sig", "speed.json", "speed.sig"
BESIDE = (SIGNATURE, SPEED_FILE, SPEED_SIGNATURE)
"""What a release and its signer put beside a manifest that lists none of it."""

_MOST_IDS = 1 << 27
"""Token ids of the largest batch that a classifier is tried with before it serves."""


class Rule(NamedTuple):
    """What a field has to be, in words and as a check."""

    told: str
    holds: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    """A string that can be written down: without lone surrogates."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def _whole(least: int, most: int) -> Rule:
    return Rule(
        f"a whole number from {least:,} to {most:,}", lambda value: type(value) is int and least <= value <= most
    )


def _all(values: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(holds, values))


def _named(values: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(values, dict) and all(map(is_plain_name, values)) and all(map(holds, values.values()))


def _is_verdict(rung: Any) -> bool:
    return isinstance(rung, dict) and (bool(rung.get("accepted", True)) or _is_text(rung.get("reason")))


NAME = Rule(f"a plain name ({PLAIN_NAME})", is_plain_name)
FLAG = Rule("true or false", lambda value: isinstance(value, bool))
TEXT = Rule("a text", _is_text)
TEXT_OR_NULL = Rule("a text or null", lambda value: value is None or _is_text(value))
ID = _whole(0, 1 << 31)
ID_OR_NULL = Rule(f"{ID.told}, or null", lambda value: value is None or ID.holds(value))
IDS = Rule("a list of token ids", lambda value: _all(value, ID.holds))
TEXTS = Rule("a text for each name", lambda value: isinstance(value, dict) and _all(list(value.values()), _is_text))
LABELS = Rule("a list of different texts", lambda value: _all(value, _is_text) and 0 < len(value) == len({*value}))
GRAPHS = Rule(
    "the paths of each rung's graphs",
    lambda value: _named(value, lambda parts: _named(parts, _is_text) and bool(parts)) and bool(value),
)
ENGINES = Rule(
    "what became of each engine",
    lambda value: _named(value, lambda one: isinstance(one, dict) and is_plain_name(one.get("rung"))),
)
LADDER = Rule("a list of different rungs", lambda value: _all(value, is_plain_name) and 0 < len(value) == len({*value}))
SHARE = Rule("a number above 0", lambda value: type(value) in (int, float) and 0 < value < 1e9)
WORDS = Rule("lists of token ids", lambda value: _all(value, lambda one: IDS.holds(one) and bool(one)))
RULES = {
    "repetition_penalty": SHARE,
    "no_repeat_ngram_size": ID,
    "encoder_no_repeat_ngram_size": ID,
    "bad_words_ids": WORDS,
    "min_length": ID,
    "min_new_tokens": ID,
    "forced_bos_token_id": ID_OR_NULL,
    "forced_eos_token_id": IDS,
    "suppress_tokens": IDS,
    "begin_suppress_tokens": IDS,
    "top_k": ID,
    "min_p": SHARE,
    "end_ids": IDS,
}
"""What a generation config may say, each in its form."""
GENERATING = Rule(
    f"an object of {', '.join(RULES)}",
    lambda value: isinstance(value, dict) and all(name in RULES and RULES[name].holds(value[name]) for name in value),
)
VERDICTS = Rule("a verdict for each rung", lambda value: _named(value, _is_verdict))

COMMON = {
    "max_length": _whole(1, 1 << 24),
    "max_batch": _whole(1, 1 << 16),
    "pad_id": ID,
    "rungs": GRAPHS,
    "ladder": LADDER,
    "candidate": NAME,
}
_LANGUAGE_MODEL = COMMON | {"name": NAME, "split_special_tokens": FLAG}
FIELDS: Mapping[str, Mapping[str, Rule]] = {
    CLASSIFICATION: COMMON | {"task": NAME, "labels": LABELS, "engines": ENGINES},
    EMBEDDING: _LANGUAGE_MODEL,
    GENERATION: _LANGUAGE_MODEL
    | {
        "start_id": ID_OR_NULL,
        "stop_ids": IDS,
        "framed": FLAG,
        "chat_template": TEXT_OR_NULL,
        "special_tokens": TEXTS,
    },
}
"""What each form must have."""

OPTIONAL = {"quantization": VERDICTS, "rules": GENERATING, "prompt": TEXT, "prompts": TEXTS}
HOW = {
    CLASSIFICATION: "lianzi.load_bundle(FOLDER) and `lianzi predict` answer with it",
    EMBEDDING: "lianzi.load_embedder(FOLDER) embeds with it",
    GENERATION: "`lianzi generate FOLDER PROMPT` carries a text on with it",
}
"""What a bundle of each form is good for."""

GRAPHS_OF = {CLASSIFICATION: ({"model"},), EMBEDDING: ({"encoder"},), GENERATION: ({"decoder"}, {"decoder", "encoder"})}
"""What a rung of each form is made of."""


def read_bundle(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle of any form, checked field by field; its files are not. Raises ArtifactError."""
    return _checked(folder, read_manifest(folder, "bundle"))


def whole_bundle(folder: Path) -> dict[str, Any]:
    """The same, and every file is the one that was hashed, with none beside the graphs. Raises ArtifactError."""
    manifest = _checked(folder, verify(folder, "bundle"))
    for path in graph_paths(manifest["rungs"]):
        _check_alone(folder, (folder / path).parent, manifest["files"])
    return manifest


def bundle_of(folder: Path, form: str, rung: str | None = None) -> dict[str, Any]:
    """The same of a bundle of this form that has this rung, if one is named. Raises ArtifactError."""
    manifest = whole_bundle(folder)
    if form_of(manifest) != form:
        hint = HOW[form_of(manifest)]
        raise ArtifactError(f"{folder}: a bundle for {form_of(manifest)}, not for {form}", hint)
    known = [*manifest["rungs"], *manifest.get("engines", {})]
    if rung is not None and rung not in known:
        raise ArtifactError(f"{folder}: no rung '{rung}'", f"it has {', '.join(known)}")
    return manifest


def form_of(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("form", CLASSIFICATION))


def shipped_rung(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The rung that a measurement of this very bundle chose; without one, the candidate that its maker named."""
    try:
        measured = read_json(real_file(folder, SPEED_FILE))
        if measured["bundle"] == digest(folder) and measured["shipped"] in manifest["rungs"]:
            return str(measured["shipped"])
    except (ArtifactError, KeyError, TypeError):
        pass
    return str(manifest["candidate"])


def model_name(manifest: Mapping[str, Any]) -> str:
    """What clients call the model."""
    return str(manifest["task" if form_of(manifest) == CLASSIFICATION else "name"])


def _checked(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    form = manifest.get("form", CLASSIFICATION)
    if not isinstance(form, str) or form not in FIELDS:
        raise _wrong(folder, "form", f"one of {', '.join(FIELDS)}", form)
    manifest = _of_today(manifest)
    for name, rule in FIELDS[form].items():
        if name not in manifest:
            raise ArtifactError(f"{folder / MANIFEST}: no '{name}', which a bundle for {form} has", RESTORE)
        if not rule.holds(manifest[name]):
            raise _wrong(folder, name, rule.told, manifest[name])
    for name, rule in OPTIONAL.items():
        if name in manifest and not rule.holds(manifest[name]):
            raise _wrong(folder, name, rule.told, manifest[name])
    _check_together(folder, manifest, form)
    return manifest


def _of_today(manifest: dict[str, Any]) -> dict[str, Any]:
    """Bundles of earlier versions call their candidate "shipped", have no ladder, or one path in place of a rung's
    graphs."""
    rungs = manifest.get("rungs")
    if not isinstance(rungs, dict):
        return manifest
    earlier = {"candidate": manifest["shipped"]} if "shipped" in manifest else {}
    parts = {rung: {"model": paths} if isinstance(paths, str) else paths for rung, paths in rungs.items()}
    return {"ladder": list(rungs), **earlier, **manifest, "rungs": parts}


def _check_together(folder: Path, manifest: dict[str, Any], form: str) -> None:
    """What one field says of another, and of the files."""
    rungs, files = manifest["rungs"], manifest["files"]
    named = {manifest["candidate"], *manifest["ladder"]}
    named |= {engine["rung"] for engine in manifest["engines"].values()} if form == CLASSIFICATION else set()
    if strange := sorted(named - set(rungs)):
        raise ArtifactError(f"{folder / MANIFEST}: '{strange[0]}' is not among 'rungs'", RESTORE)
    for path in (TOKENIZER, *graph_paths(rungs)):
        listed_file(folder, files, path)
    if form == CLASSIFICATION and manifest["max_batch"] * manifest["max_length"] > _MOST_IDS:
        raise _wrong(folder, "max_batch", f"at most {_MOST_IDS:,} token ids", manifest["max_batch"])
    if any({*parts} not in GRAPHS_OF[form] for parts in rungs.values()):
        raise ArtifactError(f"{folder / MANIFEST}: 'rungs' has not the graphs that {form} takes", RESTORE)
    if form == GENERATION and any("encoder" in parts for parts in rungs.values()) and manifest["start_id"] is None:
        raise _wrong(folder, "start_id", f"{ID.told} where there is an encoder", None)


def graph_file(rung: str, part: str) -> str:
    """Where a bundle keeps a graph of a rung."""
    return f"models/{rung}/{part}.onnx"


def megabytes(folder: Path, graphs: Mapping[str, str]) -> float:
    """Of the files of a rung, or of a checkpoint."""
    return round(sum((folder / path).stat().st_size for path in graphs.values()) / 1e6, 3)


def graph_paths(rungs: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The files of every rung's graphs."""
    for paths in rungs.values():
        yield from paths.values()


def _check_alone(folder: Path, graphs: Path, files: Iterable[str]) -> None:
    """A graph may keep its weights in files beside it, which then have to be hashed as well."""
    for path in sorted(graphs.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name not in files and name not in (MANIFEST, *BESIDE):
            raise ArtifactError(f"{path}: not listed in {MANIFEST}", "remove it, or take the bundle again")


def _wrong(folder: Path, name: str, told: str, value: Any) -> ArtifactError:
    shown = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else f"{value!r:.60}"
    return ArtifactError(f"{folder / MANIFEST}: '{name}' is to be {told}, not {shown}", RESTORE)
