"""What a server has to know of a model from a folder: its manifest's fields, and the files of its tokenizer."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from components.artifacts import own_manifest
from components.deployment.generation.generation_config import as_ids, read_rules, start_id
from components.deployment.quantizers import QUANTIZERS
from components.deployment.source import Source, task_of_folder
from components.runtime.manifest import CLASSIFICATION, EMBEDDING, GENERATION

TOOLS = ("torch", "onnx", "onnxscript", "onnxruntime", "transformers", "tokenizers")
ENDS = ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>")
"""What ends a turn in the chat templates of the time, beside the model's own end token."""

FORM_OF = {"classifier": CLASSIFICATION, "encoder": EMBEDDING}
"""The bundle's form by that of its source; the others generate."""


@dataclass(frozen=True)
class BundleOptions:
    """opset: of the graphs; max_batch: rows of one step; max_length: of prompt and answer, never above the model's.

    measure: whether a rung must also be faster here than the one above it.
    """

    rungs: tuple[str, ...] = ("fp32", *QUANTIZERS)
    opset: int = 20
    max_batch: int = 16
    max_length: int = 2048
    measure: bool = True


def describe(source: Source, options: BundleOptions, name: str) -> dict[str, Any]:
    """What a server has to know of the model, for the manifest. Raises ArtifactError."""
    ours = own_manifest(source.folder) is not None
    config, tokenizer = source.config, source.tokenizer_config
    common = {
        "form": FORM_OF.get(source.form, GENERATION),
        "architecture": config.model_type,
        "max_length": min(source.length, options.max_length),
        "max_batch": options.max_batch,
        "pad_id": source.pad_id,
        "opset": options.opset,
        "versions": {tool: version(tool) for tool in TOOLS},
    }
    if source.form == "classifier":
        return common | {"task": name, **task_of_folder(source).manifest(), "engines": {}}
    common |= {"name": name, "split_special_tokens": bool(tokenizer.get("split_special_tokens", False))}
    if source.form == "encoder":
        return common | {"prompt": source.modules.prompt, "prompts": source.modules.prompts}
    return common | {
        "rules": read_rules(source),
        "start_id": start_id(source),
        "stop_ids": stop_ids(source),
        # The platform's own decoders have read documents without a token in front.
        "framed": not (ours and source.form == "decoder"),
        "chat_template": tokenizer.get("chat_template") if isinstance(tokenizer.get("chat_template"), str) else None,
        "special_tokens": {
            role: value["content"] if isinstance(value, dict) else value
            for role, value in sorted(tokenizer.items())
            if role.endswith("_token") and isinstance(value, str | dict)
        },
    }


def stop_ids(source: Source) -> list[int]:
    """The tokens that end an answer: those of the generation config and the config, and the end of a turn."""
    found = {*as_ids(source.generation_config.eos_token_id), *as_ids(getattr(source.config, "eos_token_id", None))}
    template = source.tokenizer_config.get("chat_template") or ""
    ends = [source.tokenizer.token_to_id(token) for token in ENDS if token in template]
    return sorted(found | {index for index in ends if index is not None})


def copy_tokenizer(source: Source, folder: Path) -> None:
    """The tokenizer's files; one with lower case put before it, where a sentence encoder asks for that."""
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)
    if source.modules.lowercase:
        (folder / "tokenizer.json").write_text(source.tokenizer.to_str(), encoding="utf-8")
