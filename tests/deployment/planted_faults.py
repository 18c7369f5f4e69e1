"""Faults to plant in a bundle, each with what the gate has to name: real edits of real files, hashed anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from transformers import PreTrainedTokenizerFast

from components.artifacts import read_manifest, write_json, write_manifest
from components.deployment.config import GateConfig
from components.deployment.gate import verify_against
from components.deployment.pytorch import load_model
from components.errors import VerificationError
from components.params import Params
from components.run import RecordedRun
from tests.small_artifacts import small_tokenizer
from tests.small_ladder import Ladder

Plant = Callable[[Path, Ladder], None]
"""Changes the bundle in a folder; the ladder is what it was made from."""


@dataclass(frozen=True)
class Fault:
    """`part` and `named` are what the gate's message has to say; `layer` what bisection alone finds, where it can."""

    plant: Plant
    part: str
    named: str
    layer: str | None = None


def graph_of(bundle: Path, rung: str) -> Path:
    return bundle / f"models/{rung}/model.onnx"


def edit(rung: str, change: Callable[[GraphProto], None]) -> Plant:
    """A change of one rung's graph."""

    def plant(bundle: Path, _ladder: Ladder) -> None:
        model = onnx.load(graph_of(bundle, rung))
        change(model.graph)
        onnx.save(model, graph_of(bundle, rung))

    return plant


def weight(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[GraphProto], None]:
    """A change of one stored tensor."""

    def apply(graph: GraphProto) -> None:
        tensor = next(one for one in graph.initializer if one.name == name)
        value = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(change(value.copy()).astype(value.dtype), name))

    return apply


def manifest(**changes: Any) -> Plant:
    """Other words in the bundle's manifest."""

    def plant(bundle: Path, _ladder: Ladder) -> None:
        write_json(bundle / "manifest.json", read_manifest(bundle, "bundle") | changes)

    return plant


def one_not_a_number(value: np.ndarray) -> np.ndarray:
    value.flat[7] = np.nan
    return value


def drop_bias(graph: GraphProto) -> None:
    gemm = next(node for node in graph.node if "classifier.bias" in node.input)
    del gemm.input[2]
    graph.initializer.remove(next(one for one in graph.initializer if one.name == "classifier.bias"))


def ignore_mask(graph: GraphProto) -> None:
    """Attention reads a mask of ones; pooling still reads the real one."""
    lowered = {node.input[0] for node in graph.node if node.op_type == "Sub"}  # 0 where a token stands, else -1
    cast = next(node for node in graph.node if node.op_type == "Cast" and node.output[0] in lowered)
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    ones = [
        helper.make_node("Shape", ["attention_mask"], ["shape_of_mask"]),
        helper.make_node("ConstantOfShape", ["shape_of_mask"], ["all_ones"], value=one),
    ]
    cast.input[0] = "all_ones"
    nodes = [*ones, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def rougher_norm(graph: GraphProto) -> None:
    norm = next(node for node in graph.node if "model.final_norm.weight" in node.input)
    next(one for one in norm.attribute if one.name == "epsilon").f = 0.1


def other_activation(graph: GraphProto) -> None:
    """ReLU for the first GELU, that of the feed-forward block."""
    gelu: NodeProto = next(node for node in graph.node if node.op_type == "Gelu")
    gelu.op_type = "Relu"
    del gelu.attribute[:]


def exchange_layers(graph: GraphProto) -> None:
    """Each of two layers reads the other's weights, under their own names."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name.startswith("model.layers.") and "norm" not in name:
                start, number, end = name.split(".", 3)[1:]
                node.input[place] = ".".join(("model", start, "10"[int(number)], end))


def another_training(bundle: Path, ladder: Ladder) -> None:
    """The same graph with the weights of the model that was trained for one step."""
    model = onnx.load(graph_of(bundle, "fp32"))
    others = {name: value.numpy(force=True) for name, value in load_model(ladder.scratch).named_parameters()}
    for tensor in model.graph.initializer:
        if tensor.name in others:
            other = others[tensor.name]
            turned = other if other.shape == tuple(tensor.dims) else np.ascontiguousarray(other.T)
            tensor.CopyFrom(numpy_helper.from_array(turned, tensor.name))
    onnx.save(model, graph_of(bundle, "fp32"))


def another_tokenizer(bundle: Path, _ladder: Ladder) -> None:
    """Of as many tokens, two of which have changed places."""
    folder = bundle.parent / "tokenizer"
    text = (small_tokenizer(folder) / "tokenizer.json").read_text(encoding="utf-8")
    known = PreTrainedTokenizerFast.from_pretrained(folder).get_vocab()
    first, second = known["s"], known["e"]
    for old, new in (
        (f'"s": {first},', '"s": -1,'),
        (f'"e": {second},', f'"e": {first},'),
        ('"s": -1,', f'"s": {second},'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (bundle / "tokenizer.json").write_text(text, encoding="utf-8")
    shutil.rmtree(folder)


def shifted(graph: GraphProto, given: str, taken: str) -> list[NodeProto]:
    """Nodes that make `taken` [batch, length, ...] of `given`: each token has what the next one had."""
    ends = {"second": [1], "last": [-1], "end": [2**62], "axis": [1]}
    graph.initializer.extend(numpy_helper.from_array(np.array(value), f"shift_{name}") for name, value in ends.items())
    names = {name: f"shift_{name}" for name in ends}
    return [
        helper.make_node("Slice", [given, names["second"], names["end"], names["axis"]], ["shift_left"]),
        helper.make_node("Slice", [given, names["last"], names["end"], names["axis"]], ["shift_right"]),
        helper.make_node("Concat", ["shift_left", "shift_right"], [taken], axis=1),
    ]


def shift_answers(graph: GraphProto) -> None:
    """Each token is answered about as the next one: a span begins a token early."""
    (answering,) = (node for node in graph.node if "logits" in node.output)
    answering.output[0] = "logits_of_its_own"
    graph.node.extend(shifted(graph, "logits_of_its_own", "logits"))


def shift_mask(graph: GraphProto) -> None:
    """Whether a token counts is read from the next one's place."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == "attention_mask":
                node.input[place] = "shifted_mask"
    nodes = [*shifted(graph, "attention_mask", "shifted_mask"), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def exchange_slots(graph: GraphProto) -> None:
    """The first layer's keys are kept where its values belong, and the other way round."""
    other = {"present.0.key": "present.0.value", "present.0.value": "present.0.key"}
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = other.get(name, name)


def positions_behind(graph: GraphProto) -> None:
    """Each token but a first one has the position of the one before."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == "position_ids":
                node.input[place] = "positions_behind"
    graph.initializer.extend(numpy_helper.from_array(np.array(one), f"position_{one}") for one in (0, 1))
    nodes = [
        helper.make_node("Sub", ["position_ids", "position_1"], ["positions_before"]),
        helper.make_node("Max", ["positions_before", "position_0"], ["positions_behind"]),
        *graph.node,
    ]
    del graph.node[:]
    graph.node.extend(nodes)


def swapped_labels(one: int, other: int) -> Plant:
    """Two labels of the manifest have each other's place."""

    def plant(bundle: Path, ladder: Ladder) -> None:
        labels = read_manifest(bundle, "bundle")["labels"]
        labels[one], labels[other] = labels[other], labels[one]
        manifest(labels=labels)(bundle, ladder)

    return plant


def nothing(_bundle: Path, _ladder: Ladder) -> None:
    """No fault."""


FLOAT, INT8 = "rung fp32", "rung int8"

CLASSIFIER: dict[str, Fault] = {
    "a weight matrix scaled by 1.01": Fault(
        edit("fp32", weight("model.layers.0.mlp.Wi.weight", lambda value: value * 1.01)),
        FLOAT,
        "model.layers.0.mlp.Wi.weight",
        "model.layers.0.mlp.Wi",
    ),
    "the rows of a weight matrix moved": Fault(
        edit("fp32", weight("model.layers.0.attn.Wqkv.weight", lambda value: np.roll(value, 1, axis=0))),
        FLOAT,
        "model.layers.0.attn.Wqkv.weight",
        "model.layers.0.attn.Wqkv",
    ),
    "a quantization scale multiplied by 1.5": Fault(
        edit("int8", weight("model.layers.0.attn.Wo.weight_scale", lambda value: value * 1.5)),
        INT8,
        "model.layers.0.attn.Wo.weight",
        "model.layers.0.attn.Wo",
    ),
    "a zero point shifted by one": Fault(
        edit("int8", weight("model.embeddings.tok_embeddings.weight_zero_point", lambda value: value + 1)),
        INT8,
        "model.embeddings.tok_embeddings.weight",
    ),
    "a bias dropped": Fault(edit("fp32", drop_bias), FLOAT, "classifier.bias", "classifier"),
    "a weight that is not a number": Fault(
        edit("fp32", weight("head.dense.weight", one_not_a_number)), FLOAT, "head.dense.weight", "head.dense"
    ),
    "a layer norm's weight changed": Fault(
        edit("int8", weight("model.layers.0.mlp_norm.weight", lambda value: value[::-1])),
        INT8,
        "model.layers.0.mlp_norm.weight",
    ),
    "a layer norm's epsilon changed": Fault(
        edit("fp32", rougher_norm), FLOAT, "layer model.final_norm (", "model.final_norm"
    ),
    "GELU replaced by ReLU": Fault(
        edit("fp32", other_activation), FLOAT, "layer model.layers.0.mlp.act (", "model.layers.0.mlp.act"
    ),
    "GELU replaced by ReLU in the quantized graph": Fault(
        edit("int8", other_activation), INT8, "layer model.layers.0.mlp.act (", "model.layers.0.mlp.act"
    ),
    "the attention mask ignored": Fault(
        edit("fp32", ignore_mask), FLOAT, "layer model.layers.0.attn (", "model.layers.0.attn"
    ),
    "two layers exchanged": Fault(
        edit("fp32", exchange_layers), FLOAT, "layer model.layers.0.attn.Wqkv (", "model.layers.0.attn.Wqkv"
    ),
    "the weights of another training": Fault(
        another_training, FLOAT, "model.embeddings.tok_embeddings.weight", "model.embeddings.tok_embeddings"
    ),
    "two labels swapped": Fault(swapped_labels(0, 1), "labels", "number 0 is called 'field', in the checkpoint 'city'"),
    "a tokenizer of another model": Fault(another_tokenizer, "tokenizer", "the checkpoint's"),
    "a wrong pad id": Fault(manifest(pad_id=3), "pad id", "3, and the checkpoint pads with 0"),
    "texts longer than the model has learned": Fault(manifest(max_length=30), "max_length", "30 tokens"),
}
"""All but one can be planted in a model of one layer."""


def scale(change: Callable[[dict[str, Any]], dict[str, float]]) -> Plant:
    """Another scale of the numbers that a regression learned as deviations from a mean."""

    def plant(bundle: Path, ladder: Ladder) -> None:
        manifest(**change(read_manifest(bundle, "bundle")))(bundle, ladder)

    return plant


REGRESSION: dict[str, Fault] = {
    "the scale of a regression doubled": Fault(
        scale(lambda made: {"deviation": 2 * made["deviation"]}), "deviation", "and the checkpoint's is"
    ),
    "the mean of a regression shifted by one": Fault(
        scale(lambda made: {"mean": made["mean"] + 1}), "mean", "and the checkpoint's is"
    ),
    "the sign of a regression's head flipped": Fault(
        edit("fp32", weight("classifier.weight", np.negative)), FLOAT, "classifier.weight", "classifier"
    ),
}
TAGGER: dict[str, Fault] = {
    "two tags swapped": Fault(swapped_labels(1, 3), "labels", "number 1 is called 'B-SEA', in the checkpoint 'B-CITY'"),
    "spans that begin a token early": Fault(
        edit("fp32", shift_answers), FLOAT, "layer classifier (11 of 11): what is made of its output", "classifier"
    ),
    "the mask of real tokens shifted by one": Fault(
        edit("fp32", shift_mask), FLOAT, "layer model.layers.0.attn (", "model.layers.0.attn"
    ),
}


def in_decoder(change: Callable[[GraphProto], None]) -> Plant:
    """A change of the graph that a language model's bundle is built from."""

    def plant(onnx_folder: Path, _ladder: Ladder) -> None:
        model = onnx.load(onnx_folder / "decoder.onnx")
        change(model.graph)
        onnx.save(model, onnx_folder / "decoder.onnx")

    return plant


LANGUAGE_MODEL: dict[str, Fault] = {
    "keys and values of the cache exchanged": Fault(in_decoder(exchange_slots), FLOAT, "before the cache is read"),
    "positions one behind": Fault(in_decoder(positions_behind), FLOAT, "a logit differs from PyTorch's"),
}
FAULTS = {
    "classification": CLASSIFIER,
    "generation": LANGUAGE_MODEL,
    "regression": REGRESSION,
    "token_classification": TAGGER,
}
"""Kind of task -> the faults of its bundles."""


def plant(fault: Fault, ladder: Ladder, folder: Path) -> Path:
    """A copy of the ladder's bundle with a fault in it and with a manifest that hides it."""
    bundle = Path(shutil.copytree(ladder.bundle, folder / "bundle"))
    fault.plant(bundle, ladder)
    hide(bundle, "bundle")
    return bundle


def hide(folder: Path, kind: str) -> None:
    """Write the manifest anew, as that of the files that there are."""
    made = read_manifest(folder, kind)
    details = {name: value for name, value in made.items() if name not in ("kind", "schema", "made_from", "files")}
    write_manifest(folder, kind, {}, **details)


def refusal_to_build(fault: Fault, ladder: Ladder, params: Params, folder: Path) -> VerificationError | None:
    """What `build` refuses of a language model with a fault: it is compared with its checkpoint there."""
    faulty = Path(shutil.copytree(ladder.onnx, folder / "onnx"))
    fault.plant(faulty, ladder)
    hide(faulty, "onnx")
    try:
        replace(ladder, onnx=faulty).build(params, folder / "bundle", RecordedRun())
    except VerificationError as refused:
        return refused
    return None


def refusal(bundle: Path, ladder: Ladder, gate: GateConfig) -> VerificationError | None:
    """The first thing that the gate refuses of a bundle: all of it, or one of its rungs."""
    try:
        report = verify_against(bundle, ladder.student, ladder.rows, gate)
    except VerificationError as refused:
        return refused
    return next(iter(report.refused.values()), None)
