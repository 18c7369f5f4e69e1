from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.errors import EngineError
from components.runtime.generation.generator import Generator
from components.runtime.generation.graphs import Graph


def test_a_file_that_is_no_graph_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        Graph.load(tmp_path / "model.onnx", 1)


def test_a_failure_while_running_is_an_engine_error(generator: Generator) -> None:
    graph = generator.decoder
    ones = np.ones((1, 1), dtype=np.int64)
    with pytest.raises(EngineError, match="ONNX Runtime failed"):
        graph.run({"input_ids": ones * 10_000, "attention_mask": ones, "position_ids": ones, **graph.empty_cache(1)})


def test_an_empty_cache_has_a_key_and_a_value_a_layer(generator: Generator, translator: Generator) -> None:
    assert [value.shape for value in generator.decoder.empty_cache(3).values()] == [(3, 2, 0, 32)] * 2
    assert translator.decoder.cross == ["cross.0.key", "cross.0.value"]
    assert translator.encoder is not None
    assert translator.encoder.outputs == translator.decoder.cross
