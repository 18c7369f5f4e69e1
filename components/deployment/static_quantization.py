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

from components.inference.onnx_runtime import OnnxRuntime, open_session
from components.inference.sessions import Arrays, Session

MATMULS, TABLES = ("MatMul", "Gemm"), ("Gather",)


@dataclass(frozen=True)
class StaticQuantizer:
    """A float graph with the ranges of its activations; gives it with any of its layers quantized."""

    model: ModelProto
    ranges: Any
    per_channel: bool
    matmuls: tuple[str, ...]
    embedding_tables: tuple[str, ...]

    @classmethod
    def calibrated(cls, source: Path, batches: Sequence[Arrays], per_channel: bool) -> StaticQuantizer:
        """Run the rows through the graph, on one thread, and note what every activation spans (min, max)."""
        from onnxruntime.quantization.quant_utils import save_and_reload_model_with_shape_infer

        model = save_and_reload_model_with_shape_infer(_typed(onnx_format.load(source)))
        matmuls, tables = (tuple(_layers(model, kinds)) for kinds in (MATMULS, TABLES))
        return cls(model, _ranges(model, batches), per_channel, matmuls, tables)

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
            [name for name in (*self.matmuls, *self.embedding_tables) if name in layers] or ["none"],
            [],
            [*MATMULS, *TABLES],
            {"OpTypesToExcludeOutputQuantization": [*MATMULS]},
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


def sensitivities(quantizer: StaticQuantizer, source: Path, batches: Sequence[Arrays]) -> dict[str, float]:
    """Layer -> mean difference of an output from the float graph's when that layer alone is quantized.

    The layers that hurt most come first. To three digits: the rest differs between processors.
    """
    expected = _outputs(OnnxRuntime().load(source), batches)
    found = {}
    for layer in (*quantizer.matmuls, *quantizer.embedding_tables):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(quantizer.graph([layer]).SerializeToString())
            difference = np.abs(_outputs(OnnxRuntime().load(path), batches) - expected).mean()
        found[layer] = float(f"{difference:.3g}")
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _outputs(session: Session, batches: Iterable[Arrays]) -> np.ndarray:
    """Every number of every output on these batches, one after another."""
    return np.concatenate([values.ravel() for feeds in batches for values in session.run(feeds).values()])


def _layers(model: ModelProto, kinds: Collection[str]) -> list[str]:
    """The nodes of these kinds that hold weights of two dimensions; two activations multiplied are no layer."""
    weights = {weight.name for weight in model.graph.initializer if _is_matrix(weight)}
    return [node.name for node in model.graph.node if node.op_type in kinds and weights & set(node.input[:2])]


def _is_matrix(weight: Any) -> bool:
    return len(weight.dims) == 2 and weight.data_type == onnx_format.TensorProto.FLOAT


def _ranges(model: ModelProto, batches: Sequence[Arrays]) -> Any:
    from onnxruntime.quantization.calibrate import create_calibrator

    with tempfile.TemporaryDirectory() as folder:
        source, augmented = (Path(folder, f"{name}.onnx").as_posix() for name in ("model", "augmented"))
        onnx_format.save(model, source)
        calibrator = create_calibrator(source, [*MATMULS, *TABLES], augmented)
        calibrator.infer_session = open_session(Path(augmented), optimize=False)
        calibrator.collect_data(_Reader(batches))
        return calibrator.compute_data()


class _Reader:
    """Batches in the form in which ONNX Runtime's calibrator asks for them."""

    def __init__(self, batches: Iterable[Arrays]) -> None:
        self.left = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        feeds = next(self.left, None)
        return None if feeds is None else dict(feeds)

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        found = self.get_next()
        if found is None:
            raise StopIteration
        return found
