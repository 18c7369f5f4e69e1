"""Static int8: Q/DQ nodes around matrix products and embedding tables, ranges from calibration rows.

Activations are quantized where a product takes them and never where it gives them: ONNX Runtime then answers a product
in float32 with one kernel, and nothing is rounded twice.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_format
from onnx import ModelProto

from components.inference.onnx_runtime import OnnxRuntime
from components.runtime.encoding import Batch

PRODUCTS, TABLES = ("MatMul", "Gemm"), ("Gather",)


@dataclass(frozen=True)
class StaticQuantizer:
    """A float graph with the ranges of its activations; gives it with any of its layers quantized."""

    model: ModelProto
    ranges: Any
    per_channel: bool
    products: tuple[str, ...]
    tables: tuple[str, ...]

    @classmethod
    def calibrated(cls, source: Path, batches: Sequence[Batch], per_channel: bool) -> StaticQuantizer:
        """Run the rows through the graph, on one thread, and note what every activation spans (min, max)."""
        from onnxruntime.quantization.quant_utils import save_and_reload_model_with_shape_infer

        model = save_and_reload_model_with_shape_infer(_typed(onnx_format.load(source)))
        products, tables = (tuple(_layers(model, kinds)) for kinds in (PRODUCTS, TABLES))
        return cls(model, _ranges(model, batches), per_channel, products, tables)

    def graph(self, layers: Collection[str]) -> ModelProto:
        """The graph with these layers, named as its nodes, in int8."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        quantizer = QDQQuantizer(
            copy.deepcopy(self.model),
            self.per_channel,
            False,
            QuantType.QInt8,
            QuantType.QUInt8,
            self.ranges,
            [name for name in (*self.products, *self.tables) if name in layers] or ["none"],
            [],
            [*PRODUCTS, *TABLES],
            {"OpTypesToExcludeOutputQuantization": [*PRODUCTS]},
        )
        quantizer.quantize_model()
        found: ModelProto = quantizer.model.model
        _undo_beside_layers(found, layers)
        del found.graph.value_info[:]
        return found


def _undo_beside_layers(model: ModelProto, layers: Collection[str]) -> None:
    """Give float values to what is no quantized layer: the quantizer rounds a value for all who read it, so a residual
    connection around a layer would be rounded with what goes into the layer."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.name in layers or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for place, name in enumerate(node.input):
            back = makers.get(name)
            there = makers.get(back.input[0]) if back and back.op_type == "DequantizeLinear" else None
            if there and there.op_type == "QuantizeLinear" and not _made_by(makers, there.input[0], layers):
                node.input[place] = there.input[0]


def _made_by(makers: Mapping[str, Any], value: str, layers: Collection[str]) -> bool:
    return value in makers and makers[value].name in layers


def _typed(model: ModelProto) -> ModelProto:
    """With the type of what ONNX Runtime's own operators give: shape inference does not know them."""
    for node in model.graph.node:
        if node.domain:
            model.graph.value_info.extend(
                onnx_format.helper.make_tensor_value_info(name, onnx_format.TensorProto.FLOAT, None)
                for name in node.output
            )
    return model


def sensitivities(quantizer: StaticQuantizer, source: Path, batches: Sequence[Batch]) -> dict[str, float]:
    """Layer -> mean difference of a logit from the float graph's when that layer alone is quantized.

    The layers that hurt most come first. To three digits: the rest differs between processors.
    """
    expected = _logits(OnnxRuntime().load(source), batches)
    found = {}
    for layer in (*quantizer.products, *quantizer.tables):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(quantizer.graph([layer]).SerializeToString())
            difference = np.abs(_logits(OnnxRuntime().load(path), batches) - expected).mean()
        found[layer] = float(f"{difference:.3g}")
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _logits(session: Any, batches: Iterable[Batch]) -> np.ndarray:
    return np.concatenate([session.infer(ids, mask) for ids, mask in batches])


def _layers(model: ModelProto, kinds: Collection[str]) -> list[str]:
    """The nodes of these kinds that hold weights of two dimensions; two activations multiplied are no layer."""
    weights = {weight.name for weight in model.graph.initializer if _is_matrix(weight)}
    return [node.name for node in model.graph.node if node.op_type in kinds and weights & set(node.input[:2])]


def _is_matrix(weight: Any) -> bool:
    return len(weight.dims) == 2 and weight.data_type == onnx_format.TensorProto.FLOAT


def _ranges(model: ModelProto, batches: Sequence[Batch]) -> Any:
    import onnxruntime
    from onnxruntime.quantization.calibrate import create_calibrator

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        source, augmented = (Path(folder, f"{name}.onnx").as_posix() for name in ("model", "augmented"))
        onnx_format.save(model, source)
        calibrator = create_calibrator(source, [*PRODUCTS, *TABLES], augmented)
        calibrator.infer_session = onnxruntime.InferenceSession(augmented, options, providers=["CPUExecutionProvider"])
        calibrator.collect_data(_Reader(batches))
        return calibrator.compute_data()


class _Reader:
    """Batches in the form in which ONNX Runtime's calibrator asks for them."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.left = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.left, None)
        return None if batch is None else {"input_ids": batch[0], "attention_mask": batch[1]}

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        found = self.get_next()
        if found is None:
            raise StopIteration
        return found
