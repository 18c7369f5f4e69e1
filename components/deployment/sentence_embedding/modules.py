"""What a sentence-transformers folder says of its vectors: modules.json and the files that it names.

Every setting is either read here, and then honoured by the graph, the tokenizer and the proof, or refused by name:
a setting that is silently left out makes vectors of another space. Written against sentence-transformers 6.2; the
library itself is not needed (docs/decisions/0041-models-from-elsewhere-are-what-they-were.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.errors import ArtifactError

MODULES = "modules.json"
PROMPTS = "config_sentence_transformers.json"
OWN_PACKAGE = "sentence_transformers."

POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The flags of versions before 5.4, in the order in which several kinds are concatenated."""

ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU")
"""Of a Dense module: elementwise, without parameters, by the names of torch.nn."""

TRANSFORMER_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
HARMLESS = {"trust_remote_code", "torch_dtype", "dtype", "attn_implementation", "add_pooling_layer", "local_files_only"}
"""Arguments for loading that do not change what float32 weights compute. Code of a folder is never run."""

KEEP = "take a model without it, or change the file if you know what the vectors then are"


@dataclass(frozen=True)
class Pooling:
    """Token states to one vector; several kinds are concatenated in this order."""

    modes: tuple[str, ...]


@dataclass(frozen=True)
class Dense:
    """activation(x W + b); the weights are `linear.weight` (out, in) and `linear.bias` of a safetensors file."""

    weights: Path
    inputs: int
    outputs: int
    bias: bool
    activation: str


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalization; the weights are `norm.weight` and `norm.bias` of a safetensors file."""

    weights: Path
    width: int


@dataclass(frozen=True)
class Normalize:
    """To length 1."""


Step = Pooling | Dense | LayerNorm | Normalize


@dataclass(frozen=True)
class SentenceModules:
    """How a folder makes vectors of texts.

    transformer: the folder of its weights. max_length: tokens a text is cut at; None: as many as tokenizer and
    positions allow. lowercase: before the tokenizer's own normalizer. prompt: stands in front of every text; prompts:
    those that a caller may ask for by name.
    """

    transformer: Path
    steps: tuple[Step, ...]
    max_length: int | None = None
    lowercase: bool = False
    prompt: str = ""
    prompts: dict[str, str] = field(default_factory=dict)


def read_modules(folder: Path) -> SentenceModules:
    """The modules of a folder; of one without modules.json the mean of the token states, of length 1.

    Raises ArtifactError naming the module or setting that cannot be honoured.
    """
    path = folder / MODULES
    if not path.is_file():
        return SentenceModules(folder, (Pooling(("mean",)), Normalize()))
    listed = _json(path)
    if not isinstance(listed, list) or not all(_is_module(one) for one in listed) or not listed:
        raise ArtifactError(f"{path}: not a list of modules, each with a type and a path", "take the folder again")
    kinds = [_kind(path, one["type"]) for one in listed]
    if kinds[0] != "Transformer" or "Transformer" in kinds[1:]:
        raise _refused(path, "a list that does not begin with its only Transformer")
    folders = [_inside(path, folder, one["path"]) for one in listed]
    read = (READERS[kind](place) for kind, place in zip(kinds[1:], folders[1:], strict=True))
    steps = tuple(step for step in read if step is not None)
    if not steps or not isinstance(steps[0], Pooling) or any(isinstance(step, Pooling) for step in steps[1:]):
        raise _refused(path, "a list without one Pooling right behind the Transformer")
    _check_widths(path, steps)
    settings = _transformer_settings(folders[0])
    prompts, prompt = _prompts(folder / PROMPTS)
    return SentenceModules(
        transformer=folders[0],
        steps=steps,
        max_length=settings.get("max_seq_length"),
        lowercase=bool(settings.get("do_lower_case", False)),
        prompt=prompt,
        prompts=prompts,
    )


def step_name(step: Step) -> str:
    """A step in a word or two, for people."""
    if isinstance(step, Pooling):
        return f"{' + '.join(step.modes)} pooling"
    return f"Dense {step.outputs} {step.activation}" if isinstance(step, Dense) else type(step).__name__


def _kind(path: Path, named: str) -> str:
    """The class of a module. Raises ArtifactError for one that is not known, or that the folder brings itself."""
    kind = named.rpartition(".")[2]
    if not named.startswith(OWN_PACKAGE):
        raise ArtifactError(
            f"{path}: the module {named} is code of its own, which is never run",
            f"known: {', '.join(['Transformer', *READERS])} of sentence-transformers",
        )
    if kind != "Transformer" and kind not in READERS:
        raise ArtifactError(
            f"{path}: the module {kind} cannot be put into a bundle", f"known: {', '.join(['Transformer', *READERS])}"
        )
    return kind


def _pooling(folder: Path) -> Pooling:
    path = folder / "config.json"
    content = _settings(path)
    if content.get("include_prompt") is False:
        raise _refused(path, "include_prompt false leaves the prompt out of the pooling, which")
    given = content.get("pooling_mode")
    if given is None:
        given = [mode for key, mode in POOLING_KEYS.items() if content.get(key)] or ["mean"]
    modes = tuple([given] if isinstance(given, str) else given)
    if unknown := [str(mode) for mode in modes if mode not in POOLING_KEYS.values()]:
        raise _refused(path, f"the pooling kind {unknown[0]}")
    return Pooling(modes)


def _dense(folder: Path) -> Dense:
    path = folder / "config.json"
    content = _settings(path)
    name = str(content.get("activation_function", "torch.nn.modules.activation.Tanh"))
    activation = name.rpartition(".")[2]
    if not name.startswith("torch.nn.") or activation not in ACTIVATIONS:
        raise _refused(path, f"the activation {name}")
    _only_vectors(path, content)
    if content.get("use_residual"):
        raise _refused(path, "use_residual")
    inputs, outputs, bias = content.get("in_features"), content.get("out_features"), bool(content.get("bias", True))
    if type(inputs) is not int or type(outputs) is not int:
        raise ArtifactError(f"{path}: no in_features and out_features", "take the folder again")
    names = {"linear.weight": (outputs, inputs)} | ({"linear.bias": (outputs,)} if bias else {})
    return Dense(_weights(folder, names), inputs, outputs, bias, activation)


def _layer_norm(folder: Path) -> LayerNorm:
    width = _settings(folder / "config.json").get("dimension")
    if type(width) is not int:
        raise ArtifactError(f"{folder / 'config.json'}: no dimension", "take the folder again")
    return LayerNorm(_weights(folder, {"norm.weight": (width,), "norm.bias": (width,)}), width)


def _normalize(folder: Path) -> Normalize:
    # Older versions write no config, and no folder, for it.
    path = folder / "config.json"
    _only_vectors(path, _settings(path) if path.is_file() else {})
    return Normalize()


READERS: Mapping[str, Any] = {
    "Pooling": _pooling,
    "Dense": _dense,
    "LayerNorm": _layer_norm,
    "Normalize": _normalize,
    "Dropout": lambda folder: None,  # it does nothing where nothing is trained
}
"""Module -> how its folder is read; None of one that does nothing."""


def _only_vectors(path: Path, content: dict[str, Any]) -> None:
    """Raises ArtifactError where a module works on something other than the pooled vector."""
    for key in ("module_input_name", "module_output_name"):
        if content.get(key) not in (None, "sentence_embedding"):
            raise _refused(path, f"{key} {content[key]}")


def _weights(folder: Path, wanted: Mapping[str, tuple[int, ...]]) -> Path:
    """The safetensors file of a module, with these weights. Raises ArtifactError."""
    from safetensors import SafetensorError, safe_open

    path = folder / "model.safetensors"
    if not path.is_file():
        pickled = folder / "pytorch_model.bin"
        raise ArtifactError(
            f"{pickled}: pickled weights run code when they are loaded, and are not"
            if pickled.is_file()
            else f"{path}: no such file",
            "SentenceTransformer(folder).save(folder) of a later version writes model.safetensors",
        )
    try:
        with safe_open(path, "np") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path}: {error}", "take the folder again") from None
    for name, shape in wanted.items():
        if found.get(name) != shape:
            told = f"{found[name]} instead of {shape}" if name in found else "missing"
            raise ArtifactError(f"{path}: {name}: {told}", "check that config.json beside it belongs to these weights")
    return path


def _check_widths(path: Path, steps: tuple[Step, ...]) -> None:
    """Raises ArtifactError where a module does not take what the one before it gives."""
    known: int | None = None
    for step in steps:
        takes = step.inputs if isinstance(step, Dense) else step.width if isinstance(step, LayerNorm) else None
        if takes is not None and known is not None and takes != known:
            raise ArtifactError(f"{path}: a module takes {takes} numbers, the one before it gives {known}", KEEP)
        known = step.outputs if isinstance(step, Dense) else takes or known


def _transformer_settings(folder: Path) -> dict[str, Any]:
    """max_seq_length and do_lower_case. Raises ArtifactError for a setting that changes more than that."""
    path = next((folder / name for name in TRANSFORMER_FILES if (folder / name).is_file()), None)
    if path is None:
        return {}
    content = _settings(path)
    length = content.get("max_seq_length")
    if length is not None and (type(length) is not int or length < 1):
        raise ArtifactError(f"{path}: max_seq_length is to be a number of tokens or null, not {length!r:.40}", KEEP)
    expected = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}
    for key, value in expected.items():
        if content.get(key) not in (None, value):
            raise _refused(path, f"{key} {content[key]}")
    text = {"method": "forward", "method_output_name": "last_hidden_state"}
    if (content.get("modality_config") or {}).get("text", text) != text:
        raise _refused(path, "its modality_config")
    for key in ("processing_kwargs", "query_length", "document_length", "query_expansion", "tokenizer_name_or_path"):
        if content.get(key):
            raise _refused(path, key)
    for key in ("model_args", "model_kwargs", "config_args", "config_kwargs", "tokenizer_args", "processor_kwargs"):
        if strange := sorted(set(content.get(key) or {}) - HARMLESS):
            raise _refused(path, f"{key}.{strange[0]}")
    return content


def _prompts(path: Path) -> tuple[dict[str, str], str]:
    """The prompts by name, and the one that is put before every text."""
    content = _settings(path) if path.is_file() else {}
    if content.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        raise _refused(path, f"model_type {content['model_type']}")
    prompts = {str(name): text for name, text in (content.get("prompts") or {}).items() if text}
    if not all(isinstance(text, str) for text in prompts.values()):
        raise ArtifactError(f"{path}: prompts is to be a text for each name", KEEP)
    default = content.get("default_prompt_name")
    if default is not None and default not in (content.get("prompts") or {}):
        raise ArtifactError(f"{path}: default_prompt_name {default!r:.60} is not among its prompts", KEEP)
    return prompts, prompts.get(str(default), "")


def _inside(path: Path, folder: Path, named: str) -> Path:
    """The folder of a module. Raises ArtifactError where it lies outside of the model's."""
    place = folder / named
    if not place.resolve().is_relative_to(folder.resolve()):
        raise ArtifactError(f"{path}: the path {named!r:.60} leads out of the folder", "take the folder again")
    return place


def _is_module(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("type"), str) and isinstance(one.get("path"), str)


def _settings(path: Path) -> dict[str, Any]:
    content = _json(path)
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: not an object", "take the folder again")
    return content


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file, and {MODULES} names it", "take the folder again") from None
    except (OSError, ValueError):
        raise ArtifactError(f"{path}: not JSON", "take the folder again") from None


def _refused(path: Path, what: str) -> ArtifactError:
    return ArtifactError(f"{path}: {what} cannot be put into a bundle", KEEP)
