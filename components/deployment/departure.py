"""Where a rung of the ladder departs from what it should compute: the first layer, found by bisection.

A layer's input and its output are the points that are compared, in the order in which the layers run. A point being
right means that all before it is right, so the first wrong one is found by halving: a graph runs with one more output
each time, and nothing but that point is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, ValueInfoProto

from components.deployment.points import Point, points
from components.errors import EngineError
from components.runtime.encoding import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Departure:
    """The first layer that departs; `number` counts from 1 in the order in which the `of` layers run.

    `what` of it departs: its output, or what it gets. `difference` is that of the first wrong point as a share of the
    point's size, `before` that of the point before it.
    """

    layer: str
    number: int
    of: int
    what: str
    difference: float
    before: float
    reference: str

    def __str__(self) -> str:
        size = f"by {self.difference:.2g} of its size" if np.isfinite(self.difference) else "infinitely"
        feeds = "what goes into it" if self.what == WHAT["output"] else "what comes before"
        return (
            f"layer {self.layer} ({self.number} of {self.of}): {self.what} differs {size} from {self.reference}'s; "
            f"{feeds} agrees to {self.before:.1g}"
        )


WHAT = {"input": "what goes into it", "output": "its output", "answer": "what is made of its output"}

Read = Callable[[Point], np.ndarray]
"""A point's value on the rows that are looked at."""


def first_departure(difference: Callable[[int], float], count: int, limit: float) -> int | None:
    """The first of `count` points that differs by more than the limit, by bisection; None where none does.

    Differences need not grow from point to point: where the last agrees although some point does not, or one before
    the found one departs as well, all points up to there are compared in turn.
    """
    if count == 0:
        return None
    low, high = -1, count - 1
    if not difference(high) > limit:
        return next((place for place in range(count) if difference(place) > limit), None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if difference(middle) > limit else (middle, high)
    if high > 1 and difference(high - 2) > limit:  # a branch that goes around the point before
        return next(place for place in range(high) if difference(place) > limit)
    return high


def find(
    all_points: Sequence[Point], reference: Read, candidate: Read, mask: np.ndarray, limit: float, name: str
) -> Departure | None:
    """The first point at which the candidate departs from the reference, called `name` in messages."""
    known: dict[int, float] = {}

    def difference(place: int) -> float:
        if place not in known:
            point = all_points[place]
            known[place] = distance(reference(point), candidate(point), mask)
        return known[place]

    place = first_departure(difference, len(all_points), limit)
    if place is None:
        return None
    point = all_points[place]
    order = list(dict.fromkeys(one.layer for one in all_points))
    before = difference(place - 1) if place else 0.0
    return Departure(
        layer=point.layer,
        number=order.index(point.layer) + 1,
        of=len(order),
        what=WHAT[point.side],
        difference=difference(place),
        before=before,
        reference=name,
    )


def distance(expected: np.ndarray, found: np.ndarray, mask: np.ndarray) -> float:
    """The size of the difference as a share of the expected size, on real tokens; infinite where it is no number.

    mask (rows, tokens); a value that has these axes, apart or as one, is compared where the mask is 1.
    """
    if expected.size != found.size:
        return float("inf")
    expected, found = (_real(one.reshape(expected.shape), mask).astype(np.float64) for one in (expected, found))
    if not np.isfinite(found).all():
        return float("inf")
    size = float(np.linalg.norm(expected))
    return float(np.linalg.norm(expected - found)) / (size or 1.0)


def _real(value: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if value.shape[:2] == mask.shape:
        return value[mask.astype(bool)]
    if value.ndim and value.shape[0] == mask.size:
        return value[mask.astype(bool).ravel()]
    return value


def graph_reader(model: ModelProto, batch: Batch) -> Read:
    """Values of a graph on a batch, each by a run with one more output. Raises EngineError."""

    def read(point: Point) -> np.ndarray:
        return graph_values(model, batch, [point.value])[point.value]

    return read


def graph_values(model: ModelProto, batch: Batch, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Values of a graph by their names, outputs of it or not."""
    import onnxruntime

    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(list(names), {"input_ids": batch[0], "attention_mask": batch[1]})
    except Exception as error:  # its exceptions share no base class but Exception
        reason = (str(error).splitlines() or [""])[0]
        raise EngineError(f"ONNX Runtime cannot compute {', '.join(names[:3])}: {reason}") from None
    return dict(zip(names, found, strict=True))


def from_pytorch(
    model: PreTrainedModel, graph: ModelProto, batch: Batch, limit: float, named_by: ModelProto | None = None
) -> Departure | None:
    """The first layer of a graph whose values lie further than the limit from those of the PyTorch model.

    `named_by` is the float graph that a quantized one was made from, since its nodes read the weights by name.
    """
    from components.deployment.pytorch import layer_values, layers_run

    order = layers_run(model, batch)
    found = find(
        _shared(named_by or graph, graph, [layer for layer, weighted in order.items() if weighted]),
        lambda point: layer_values(model, batch, [point])[point],
        graph_reader(graph, batch),
        batch[1],
        limit,
        "PyTorch",
    )
    return found and _named(found, order)


def noisiest(
    model: PreTrainedModel, graph: ModelProto, batch: Batch, named_by: ModelProto | None = None
) -> tuple[float, str]:
    """The largest distance of a point from PyTorch's, and the layer it belongs to: all points in one run of each."""
    from components.deployment.pytorch import layer_values, layers_run

    order = layers_run(model, batch)
    found = _shared(named_by or graph, graph, [layer for layer, weighted in order.items() if weighted])
    expected = layer_values(model, batch, found)
    given = graph_values(graph, batch, list(dict.fromkeys(point.value for point in found)))
    noise = {point: distance(expected[point], given[point.value], batch[1]) for point in found}
    loudest = max(noise, key=lambda point: noise[point])
    return noise[loudest], loudest.layer


def _shared(reference: ModelProto, graph: ModelProto, layers: Iterable[str]) -> list[Point]:
    """The points of layers of one graph whose values another has under the same names."""
    there = {name for node in graph.graph.node for name in node.output}
    return [point for point in points(reference.graph, layers) if point.value in there]


def _named(found: Departure, order: Mapping[str, bool]) -> Departure:
    """Name what stands between two layers when the second gets wrong values though the first gives right ones: the one
    module without weights that runs between them, or the module that holds both; else the layer stays named.

    `order`: module -> whether it has weights, in the order in which they run.
    """
    weighted = [layer for layer, has in order.items() if has]
    place = weighted.index(found.layer)
    if found.what != WHAT["input"] or place == 0:
        return found
    before, names = weighted[place - 1], list(order)
    beside = (_parent(before), _parent(found.layer))
    between = names[names.index(before) + 1 : names.index(found.layer)]
    plain = [name for name in between if _parent(name) in beside]
    if len(plain) == 1:
        return replace(found, layer=plain[0], what=WHAT["output"])
    holder = _holder(before, found.layer)
    if any(part.isdecimal() for part in holder.split(".")):
        inner = [name.removeprefix(f"{holder}.") for name in (before, found.layer)]
        return replace(found, layer=holder, what=f"what it computes between {inner[0]} and {inner[1]}")
    return found


def _parent(layer: str) -> str:
    return layer.rpartition(".")[0]


def _holder(one: str, other: str) -> str:
    """The innermost module that holds both."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one.split("."), other.split("."), strict=False))
    return ".".join(part for part, _ in same)
