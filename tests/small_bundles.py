"""Bundles whose manifest is right, or wrong in one place, around files that are none: nothing gets to load them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST, read_manifest, write_manifest

CLASSIFIER: dict[str, Any] = {
    "task": "places",
    "labels": ["city", "sea"],
    "max_length": 24,
    "max_batch": 8,
    "pad_id": 0,
    "ladder": ["fp32", "int8"],
    "rungs": {"fp32": {"model": "models/fp32/model.onnx"}, "int8": {"model": "models/int8/model.onnx"}},
    "quantization": {"fp32": {"macro_f1": 1.0}, "int4": {"accepted": 0, "reason": "loses 0.3"}},
    "engines": {"onnxruntime": {"rung": "int8", "status": "built and run"}},
    "candidate": "int8",
}
GENERATOR: dict[str, Any] = {
    "name": "words",
    "form": "generation",
    "max_length": 64,
    "max_batch": 8,
    "pad_id": 0,
    "rungs": {"fp32": {"decoder": "models/fp32/decoder.onnx"}},
    "ladder": ["fp32"],
    "candidate": "fp32",
    "split_special_tokens": False,
    "start_id": None,
    "stop_ids": [2],
    "framed": True,
    "chat_template": None,
    "special_tokens": {"eos_token": "[SEP]"},
}
EMBEDDER = {name: GENERATOR[name] for name in list(GENERATOR)[:9]} | {
    "form": "embedding",
    "rungs": {"fp32": {"encoder": "models/fp32/encoder.onnx"}},
}
FILES = (
    "tokenizer.json",
    "models/fp32/model.onnx",
    "models/int8/model.onnx",
    "models/fp32/decoder.onnx",
    "models/fp32/encoder.onnx",
)
GARBAGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    10**30,
    "",
    "a\nb",
    "../x",
    "/etc",
    [],
    [None],
    {},
    {"a": [{}]},
    [[]] * 3,
)
"""What a field may turn out to be; each field takes some of it."""


def bundle(folder: Path, details: dict[str, Any]) -> Path:
    """A folder whose manifest lists what is in it."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    write_manifest(folder, "bundle", {}, **details)
    return folder


def rewrite(folder: Path, **changes: Any) -> Path:
    """Change the manifest as whoever hands a bundle on could; `...` takes a field out."""
    manifest = read_manifest(folder, "bundle") | changes
    kept = {name: value for name, value in manifest.items() if value is not ...}
    (folder / MANIFEST).write_text(json.dumps(kept))
    return folder


MALFORMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{
        f"a classifier without {name}": (CLASSIFIER, {name: ...})
        for name in CLASSIFIER
        if name not in ("ladder", "quantization")
    },
    **{f"a generator without {name}": (GENERATOR, {name: ...}) for name in GENERATOR if name not in ("form", "ladder")},
    **{f"a classifier whose {name} is null": (CLASSIFIER, {name: None}) for name in CLASSIFIER},
    **{f"a generator whose {name} is a list of lists": (GENERATOR, {name: [[]]}) for name in GENERATOR},
    **{f"an embedder whose {name} is 10**30": (EMBEDDER, {name: 10**30}) for name in EMBEDDER},
    "a task with a path": (CLASSIFIER, {"task": "/abs/dir"}),
    "a task that leads out": (CLASSIFIER, {"task": "../../x"}),
    "a task of nothing": (CLASSIFIER, {"task": ""}),
    "a task of two lines": (CLASSIFIER, {"task": "a\nb"}),
    "a task with a slash": (CLASSIFIER, {"task": "a/b"}),
    "a name with a slash": (GENERATOR, {"name": "a/b"}),
    "a name of two lines": (GENERATOR, {"name": "a\r\nx-header: 1"}),
    "a rung that leads out": (CLASSIFIER, {"rungs": CLASSIFIER["rungs"] | {"fp32": {"model": "../other/x.onnx"}}}),
    "a rung somewhere else": (CLASSIFIER, {"rungs": CLASSIFIER["rungs"] | {"fp32": {"model": "/etc/passwd"}}}),
    "a rung that is not listed": (CLASSIFIER, {"rungs": CLASSIFIER["rungs"] | {"fp32": {"model": "models/x.onnx"}}}),
    "a part that leads out": (GENERATOR, {"rungs": {"fp32": {"decoder": "../x.onnx"}}}),
    "a part of another form": (GENERATOR, {"rungs": {"fp32": {"encoder": "models/fp32/encoder.onnx"}}}),
    "a rung of no parts": (GENERATOR, {"rungs": {"fp32": {}}}),
    "an encoder and nothing to start with": (
        GENERATOR,
        {"rungs": {"fp32": {"encoder": "models/fp32/encoder.onnx", "decoder": "models/fp32/decoder.onnx"}}},
    ),
    "no rungs": (CLASSIFIER, {"rungs": {}}),
    "a candidate that is not there": (CLASSIFIER, {"candidate": "int4"}),
    "a candidate of a generator that is not there": (GENERATOR, {"candidate": "int4"}),
    "a ladder with a rung that is not there": (CLASSIFIER, {"ladder": ["fp32", "int4"]}),
    "an engine of a rung that is not there": (CLASSIFIER, {"engines": {"openvino": {"rung": "int4"}}}),
    "an engine with a path": (CLASSIFIER, {"engines": {"../x": {"rung": "fp32"}}}),
    "a label twice": (CLASSIFIER, {"labels": ["a", "a"]}),
    "no label": (CLASSIFIER, {"labels": []}),
    "a label that cannot be written": (CLASSIFIER, {"labels": ["\ud800", "a"]}),
    "a verdict without a reason": (CLASSIFIER, {"quantization": {"int4": {"accepted": 0}}}),
    "a batch that no memory holds": (CLASSIFIER, {"max_batch": 1 << 16, "max_length": 1 << 20}),
    "numbers as truths": (CLASSIFIER, {"max_length": True}),
    "a form that is none": (GENERATOR, {"form": "speech"}),
    "the form of another": (CLASSIFIER, {"form": "generation"}),
    "a tokenizer that is not listed": (
        CLASSIFIER,
        {"files": {"models/fp32/model.onnx": "0" * 64, "models/int8/model.onnx": "0" * 64}},
    ),
    "files that lead out": (CLASSIFIER, {"files": {"../../x": "0" * 64}}),
    "files that are a list": (GENERATOR, {"files": ["a"]}),
    "a lineage without an end": (CLASSIFIER, {"lineage": {"a": {"kind": "x", "made_from": {"b": "a"}}}}),
}
"""In words -> the manifest, and what is wrong with it."""
