"""Models from folders and hubs: none of their code is run, nothing pickled is read, every weight is accounted for.

Nothing else here calls `from_pretrained` of a model, or `from_config`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.errors import ArtifactError, LianziError, ParameterError, first_line
from components.modeling.weight_files import INDEX, POOLER, WHOLE, stored_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

CODE = "auto_map"
"""Under this key a folder names classes of its own, and the Python files to run for them."""
NAMING_CODE = ("config.json", "tokenizer_config.json")
ADAPTER = "adapter_config.json"
"""A folder with it holds changes to a model that it names, which transformers would load in its place."""
PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
OWN_TOKENIZER = "tokenizer.json"
NO_FAMILY = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Tokenizer classes that are their file and nothing more. A model family's class may add tokens of the family."""
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")
MASTER = "float32"
"""Weights are kept in it whatever a checkpoint was saved in: the precision of the products is a parameter."""


@dataclass(frozen=True)
class Loaded:
    """A model with its weights. `new`: its heads that the checkpoint lacks, random so far; `unused`: what of the
    checkpoint's backbone the model has no place for. Another model's heads are left over without a word."""

    model: PreTrainedModel
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def remarks(self, name: str | Path) -> list[str]:
        """What a person should know of it, a line each."""
        lines = []
        if self.new:
            lines.append(f"{name}: {', '.join(self.new)}: not in the checkpoint, begins with random weights")
        if self.unused:
            first = self.unused[0]
            lines.append(f"{name}: {len(self.unused)} weights have no place in the model, {first} the first of them")
        return lines


def takes_types(config: PreTrainedConfig) -> bool:
    """Whether models of this shape embed which of two texts a token is of (BERT's segments)."""
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1


def load_config(name: str | Path, role: str = "") -> PreTrainedConfig:
    """The config of a folder or a hub name. `role`: the parameter that names it, before what is said of it.

    Raises ParameterError, or without a role ArtifactError, where it cannot be read or asks for code of its own.
    """
    from transformers import AutoConfig

    refuse_code(name, role)
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=False, local_files_only=Path(name).is_dir())
    except (OSError, ValueError, KeyError) as error:
        raise cannot_load(name, role, error) from None


def load_tokenizer(folder: Path, name: str, role: str = "") -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, whatever kind of file it is kept in. `name`: what the folder was asked for as.

    Raises ParameterError, or without a role ArtifactError, where it cannot be loaded, asks for code of its own, or is
    none that the library `tokenizers` runs.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    refuse_code(str(folder), role)
    if not any(path for pattern in VOCABULARIES for path in folder.glob(pattern)):
        # transformers would make an empty one of the model's kind.
        raise _refused(role, f"{name}: no tokenizer here", "put tokenizer.json beside config.json")
    named = _json(folder, NAMING_CODE[1], role).get("tokenizer_class")
    # transformers goes by the model's family, whatever class is named: Qwen2's has a token more than any file.
    as_it_is = named in NO_FAMILY and (folder / OWN_TOKENIZER).is_file()
    try:
        loaded: Any = (
            PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            if as_it_is
            else AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        )
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, ImportError and plain Exception
        raise _refused(
            role,
            f"cannot load {name!r}: {first_line(error)}",
            "give a folder with tokenizer.json, or a hub name this machine can reach",
        ) from None
    if getattr(loaded, "backend_tokenizer", None) is None:
        raise _refused(
            role,
            f"{name} is a {type(loaded).__name__}, written in Python",
            "give one with a tokenizer.json, which Hugging Face tokenizers runs",
        )
    return cast("PreTrainedTokenizerBase", loaded)


def load_model(
    auto: Any, name: str | Path, *, config: PreTrainedConfig | None = None, new_heads: bool = False, role: str = ""
) -> Loaded:
    """A model in float32. `auto`: a class of transformers with a head; `config`: instead of the folder's own.

    Raises ParameterError, or without a role ArtifactError, where the weights are pickled, or some of the backbone are
    missing or of another shape; of a head as well, unless `new_heads` may begin with random ones.
    """
    from transformers.utils import logging

    refuse_code(name, role)
    refuse_adapter(name, role)
    refuse_pickled(name, role)
    refuse_damaged(name, role)
    local = Path(name).is_dir()
    if local:
        # A bar for each model that a stage reads; the bar of a download is wanted.
        logging.disable_progress_bar()
    try:
        model, report = auto.from_pretrained(
            name,
            config=config,
            dtype=MASTER,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=local,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below, by name
        )
    except Exception as error:  # safetensors, transformers and the Rust library below have no base class in common
        raise cannot_load(name, role, error) from None
    _refuse_incomplete(name, role, model, report, new_heads)
    absent = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
    unused = (key for key in report["unexpected_keys"] if _in_backbone(model, key))
    return Loaded(model, _modules(model, absent), tuple(sorted(unused)))


def random_model(auto: Any, config: PreTrainedConfig) -> PreTrainedModel:
    """A model with random weights in float32, from torch's global generator."""
    model: PreTrainedModel = auto.from_config(config, dtype=MASTER, trust_remote_code=False)
    return model


def refuse_code(name: str | Path, role: str = "") -> None:
    """Raise where a folder or a hub's repository asks for code of its own, before anything else of it is read."""
    for file in NAMING_CODE:
        content = _json(name, file, role)
        if content.get(CODE):
            known = file == NAMING_CODE[0] and _is_known(content.get("model_type"))
            raise _refused(
                role,
                f"{name}: {file} names code of its own ({CODE}: {_first_name(content[CODE])}), which is never run",
                f"take {CODE} out of {file} to load it as transformers' own {content['model_type']}"
                if known
                else "give a model whose architecture and tokenizer transformers has itself",
            )


def refuse_adapter(name: str | Path, role: str = "") -> None:
    """Raise where a folder or a hub's repository holds an adapter: which model it stands on is not ours to guess."""
    if _json(name, ADAPTER, role):
        raise _refused(
            role,
            f"{name}: {ADAPTER}: an adapter, which is not a whole model",
            "peft: model.merge_and_unload().save_pretrained(folder) writes one",
        )


def refuse_pickled(name: str | Path, role: str = "") -> None:
    """Raise where a folder has no safetensors weights. A hub's are asked for by name, and no others."""
    folder = Path(name)
    if not folder.is_dir() or any((folder / file).is_file() for file in (WHOLE, INDEX)):
        return
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        raise _refused(
            role,
            f"{folder / pickled[0]}: pickled weights run code when they are loaded, and are not",
            "model.save_pretrained(folder) of transformers 5 writes model.safetensors",
        )
    raise _refused(role, f"{folder}: no {WHOLE} here", "give the folder of a transformers model")


def refuse_damaged(name: str | Path, role: str = "") -> None:
    """Raise where a file of a folder's weights is missing, cut short or damaged."""
    if Path(name).is_dir():
        try:
            stored_tensors(Path(name))
        except ArtifactError as error:
            raise _refused(role, str(error.args[0]), error.hint) from None


def cannot_load(name: str | Path, role: str, error: Exception) -> LianziError:
    """What transformers said of a folder or a name, in a line."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _refused(
        role,
        f"cannot load '{name}': {reason}",
        "give a folder with config.json and model.safetensors, or a hub name this machine can reach",
    )


def _refuse_incomplete(
    name: str | Path, role: str, model: PreTrainedModel, report: dict[str, Any], new_heads: bool
) -> None:
    missing = _needed(model, report["missing_keys"], new_heads)
    if missing:
        raise _refused(
            role,
            f"{name}: {len(missing)} weights are missing, {missing[0]} the first of them",
            "check that config.json belongs to these weights, or write both anew with model.save_pretrained(folder)",
        )
    shapes = {key: (tuple(found), tuple(wanted)) for key, found, wanted in report["mismatched_keys"]}
    mismatched = _needed(model, shapes, new_heads)
    if mismatched:
        found, wanted = shapes[mismatched[0]]
        raise _refused(
            role,
            f"{name}: {len(mismatched)} weights have another shape than config.json says, {mismatched[0]} the first "
            f"of them: {found} instead of {wanted}",
            "check that config.json belongs to these weights",
        )


def _needed(model: PreTrainedModel, keys: Iterable[str], new_heads: bool) -> list[str]:
    """Those of the weights that have to come from the checkpoint, in order."""
    return sorted(key for key in keys if not new_heads or _in_backbone(model, key))


def _in_backbone(model: PreTrainedModel, key: str) -> bool:
    base = model.base_model
    inside = key.removeprefix(f"{model.base_model_prefix}.")
    if inside == key and base is not model:
        return False
    first = inside.partition(".")[0]
    return first != POOLER and hasattr(base, first)


def _modules(model: PreTrainedModel, keys: Iterable[str]) -> tuple[str, ...]:
    """The outermost modules outside the backbone that weights belong to."""
    prefix = f"{model.base_model_prefix}."
    names = {f"{prefix}{POOLER}" if key.startswith(prefix) else key.partition(".")[0] for key in keys}
    return tuple(sorted(names))


def _is_known(model_type: Any) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return isinstance(model_type, str) and model_type in CONFIG_MAPPING_NAMES


def _first_name(code: Any) -> str:
    """Of {"AutoConfig": "configuration_x.XConfig", …} or of tokenizers' [slow, fast]."""
    names: Sequence[Any] = list(code.values()) if isinstance(code, dict) else code if isinstance(code, list) else [code]
    flat = [one for name in names for one in (name if isinstance(name, list) else [name])]
    return next((str(name) for name in flat if name), str(code))


def _json(name: str | Path, file: str, role: str) -> dict[str, Any]:
    """A JSON file of a folder or a hub's repository; empty where it has none."""
    from transformers.utils import cached_file

    try:
        if Path(name).is_dir():
            path = Path(name, file)
            text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
        else:
            found = cached_file(str(name), file, _raise_exceptions_for_missing_entries=False)
            text = "{}" if found is None else Path(found).read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError) as error:
        raise cannot_load(name, role, error) from None
    if not isinstance(content, dict):
        raise _refused(role, f"{name}: {file}: not an object", "give the folder of a transformers model")
    return content


def _refused(role: str, message: str, hint: str) -> LianziError:
    return ParameterError(f"{role}: {message}", hint) if role else ArtifactError(message, hint)
