"""The first layer whose values in a graph differ from PyTorch's, found by bisection.

The inputs and outputs of layers are compared in the order in which the layers run. An activation being right means that
all before it are right, so the first wrong one is found by halving: a graph runs with one more output each time, and
nothing but that activation is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, ValueInfoProto

from components.deployment.activations import Activation, activations
from components.errors import EngineError, first_line
from components.inference.onnx_runtime import open_session
from components.inference.sessions import Arrays
from components.runtime.encoding import MASK

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LayerMismatch:
    """The first layer that differs; `number` counts from 1 in the order in which the `of` layers run.

    `what` says which of its values differs: its output, or its input. `difference` is that of the first wrong
    activation as a share of its size, `before` that of the activation before it.
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

Read = Callable[[Activation], np.ndarray]
"""An activation's value on the rows that are compared."""


def first_above(difference: Callable[[int], float], count: int, limit: float) -> int | None:
    """The first of `count` activations that differs by more than the limit, by bisection; None where none does.

    Differences need not grow along the graph: where the last agrees although another does not, or one before the found
    one differs as well, all activations up to there are compared in turn.
    """
    if count == 0:
        return None
    low, high = -1, count - 1
    if not difference(high) > limit:
        return next((place for place in range(count) if difference(place) > limit), None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if difference(middle) > limit else (middle, high)
    if high > 1 and difference(high - 2) > limit:  # a branch that goes around the activation before
        return next(place for place in range(high) if difference(place) > limit)
    return high


def _first_mismatch(
    compared: Sequence[Activation], reference: Read, candidate: Read, mask: np.ndarray, limit: float, name: str
) -> LayerMismatch | None:
    """The first activation in which the candidate differs from the reference, called `name` in messages."""
    known: dict[int, float] = {}

    def difference(place: int) -> float:
        if place not in known:
            known[place] = distance(reference(compared[place]), candidate(compared[place]), mask)
        return known[place]

    place = first_above(difference, len(compared), limit)
    if place is None:
        return None
    activation = compared[place]
    order = list(dict.fromkeys(one.layer for one in compared))
    before = difference(place - 1) if place else 0.0
    return LayerMismatch(
        layer=activation.layer,
        number=order.index(activation.layer) + 1,
        of=len(order),
        what=WHAT[activation.side],
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


def graph_reader(model: ModelProto, batch: Arrays) -> Read:
    """Values of a graph on a batch, each by a run with one more output. Raises EngineError."""

    def read(activation: Activation) -> np.ndarray:
        return graph_values(model, batch, [activation.value])[activation.value]

    return read


def graph_values(model: ModelProto, batch: Arrays, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Values of a graph by their names, outputs of it or not."""
    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(ValueInfoProto(name=name) for name in names)
    try:
        found = open_session(shown.SerializeToString()).run(list(names), dict(batch))
    except Exception as error:  # its exceptions share no base class but Exception
        raise EngineError(f"ONNX Runtime cannot compute {', '.join(names[:3])}: {first_line(error)}") from None
    return dict(zip(names, found, strict=True))


def first_mismatch(
    model: PreTrainedModel, graph: ModelProto, batch: Arrays, limit: float, named_by: ModelProto | None = None
) -> LayerMismatch | None:
    """The first layer of a graph whose values lie further than the limit from those of the PyTorch model.

    `named_by` is the float graph that a quantized one was made from, since its nodes read the weights by name.
    """
    from components.deployment.pytorch import layer_values, layers_run

    order = layers_run(model, batch)
    found = _first_mismatch(
        _shared(named_by or graph, graph, [layer for layer, weighted in order.items() if weighted]),
        lambda activation: layer_values(model, batch, [activation])[activation],
        graph_reader(graph, batch),
        batch[MASK],
        limit,
        "PyTorch",
    )
    return found and _named(found, order)


def largest_layer_error(
    model: PreTrainedModel, graph: ModelProto, batch: Arrays, named_by: ModelProto | None = None
) -> tuple[float, str]:
    """The largest distance of an activation from PyTorch's, and its layer: all activations in one run of each."""
    from components.deployment.pytorch import layer_values, layers_run

    order = layers_run(model, batch)
    found = _shared(named_by or graph, graph, [layer for layer, weighted in order.items() if weighted])
    expected = layer_values(model, batch, found)
    given = graph_values(graph, batch, list(dict.fromkeys(one.value for one in found)))
    errors = {one: distance(expected[one], given[one.value], batch[MASK]) for one in found}
    largest = max(errors, key=lambda one: errors[one])
    return errors[largest], largest.layer


def _shared(reference: ModelProto, graph: ModelProto, layers: Iterable[str]) -> list[Activation]:
    """The activations of layers of one graph whose values another has under the same names."""
    there = {name for node in graph.graph.node for name in node.output}
    return [one for one in activations(reference.graph, layers) if one.value in there]


def _named(found: LayerMismatch, order: Mapping[str, bool]) -> LayerMismatch:
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
