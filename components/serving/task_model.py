"""A task's bundle as the protocol sees it: texts or token ids in, the tensors of its answers' form out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from components.inference.sessions import Arrays
from components.runtime.answers import Answer, Values
from components.runtime.bundle import Classifier, load_bundle
from components.runtime.encoding import IDS, MASK, TYPES, TypedIds
from components.runtime.prediction import of_windows, places, windows_of
from components.serving.batching import stacked
from components.serving.limits import Limits
from components.serving.protocol import InferRequest
from components.serving.request_error import RequestError
from components.serving.tensors import NUMBERS, Tensor
from components.tasks.multiple_choice import LEAST
from components.tasks.task import sequences_of

PLATFORM = "onnxruntime_onnx"
TEXT_INPUT = ("BYTES", [-1])
IDS_INPUT = ("INT64", [-1, -1])
CHOICES = "choices"
CHOICES_INPUT = ("BYTES", [-1, -1])


@dataclass(frozen=True)
class TaskModel:
    """A loaded bundle."""

    classifier: Classifier
    vocabulary: int
    endpoints = ("/v2/models/NAME/infer",)

    @property
    def choices(self) -> bool:
        """Whether a row has choices, a sequence each."""
        return self.classifier.kind.output.per_choice

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The inputs that are texts, one a column of the task's rows."""
        return self.classifier.kind.texts

    @cached_property
    def encoded(self) -> tuple[str, ...]:
        """The inputs that may stand in their place. None where a row has choices or windows: ids do not say whose
        they are."""
        if self.choices or self.classifier.kind.output.over_tokens:
            return ()
        return (IDS, MASK, *((TYPES,) if self.classifier.encoder.types else ()))

    @cached_property
    def inputs(self) -> dict[str, tuple[str, list[int]]]:
        """Name -> datatype and shape."""
        texts = {name: CHOICES_INPUT if name == CHOICES else TEXT_INPUT for name in self.texts}
        return texts | dict.fromkeys(self.encoded, IDS_INPUT)

    @cached_property
    def takes(self) -> str:
        """What it takes, for a message."""
        return ", or ".join(" and ".join(names) for names in (self.texts, self.encoded) if names)

    @classmethod
    def load(cls, bundle: Path, threads: int = 1) -> TaskModel:
        """Load the shipped graph and run it once at each end of what it takes. Raises ArtifactError, EngineError."""
        classifier = load_bundle(bundle, threads=threads)
        loaded = cls(classifier, classifier.encoder.tokenizer.get_vocab_size())
        first = classifier.encoder.encode(["a"])[0]
        for rows, length in ((1, 1), (classifier.max_batch, classifier.encoder.max_length)):
            loaded.infer([(first * length)[:length]] * rows)
        return loaded

    def describe(self) -> dict[str, Any]:
        """The tensors of the protocol's model metadata, and the labels in the order of `scores` and `logits`."""
        inputs = [_described(name, datatype, shape) for name, (datatype, shape) in self.inputs.items()]
        labels, tensors = list(self.classifier.labels), self.classifier.form.tensors
        outputs = [_described(name, one.datatype, one.shape(len(labels))) for name, one in tensors.items()]
        return {"platform": PLATFORM, "inputs": inputs, "outputs": outputs, "labels": labels}

    def check(self, request: InferRequest, limits: Limits) -> None:
        """Raises RequestError for what can be seen to be wrong before any text is encoded."""
        unknown = set(request.inputs) - set(self.inputs)
        if unknown:
            raise RequestError(400, f"no input '{min(unknown)}': it takes {self.takes}")
        kind, tensors = self.classifier.kind, self.classifier.form.tensors
        absent = set(request.outputs) - set(tensors)
        if absent:
            raise RequestError(400, f"no output '{min(absent)}': it gives {', '.join(tensors)}")
        for tensor in request.inputs.values():
            expected = self.inputs[tensor.name][0]
            if tensor.datatype != expected:
                raise RequestError(400, f"input '{tensor.name}' is {expected}, not {tensor.datatype}")
            if tensor.shape[0] > limits.largest:
                raise RequestError(422, f"{tensor.shape[0]} rows, at most {limits.largest} are taken at once")
        if not self.encoded or not request.inputs.keys().isdisjoint(self.texts):
            self._check_texts(request.inputs, limits)
            if kind.spans:
                for number, text in enumerate(request.inputs["text"].values):
                    if why := kind.refusal(text):
                        raise RequestError(422, f"text {number}: {why}")
        else:
            self._check_ids(request.inputs)
            if needy := set(request.outputs) & set(self.classifier.form.of_text):
                raise RequestError(400, f"output '{min(needy)}' needs the text, not its token ids")

    def rows(self, request: InferRequest) -> list[list[int]]:
        """Token ids of each row of a checked request, as `lianzi predict` encodes them."""
        if self.classifier.kind.output.over_tokens:
            windows = windows_of(self.classifier.kind, self.classifier.encoder, self.texts_of(request))
            return [self.classifier.encoder.typed(one.ids, one.types) for row in windows for one in row]
        if self.texts[0] in request.inputs:
            texts = sequences_of(self.classifier.kind, self.texts_of(request))
            rows = self.classifier.encoder.encode(texts)
            if not all(rows):
                raise RequestError(422, f"text {rows.index([])} holds no token")
            return rows
        ids, mask, *types = (np.asarray(request.inputs[name].values) for name in self.encoded)
        rows = [row[:length].tolist() for row, length in zip(ids, mask.sum(axis=1), strict=True)]
        if types:
            return [TypedIds(row, kinds[: len(row)].tolist()) for row, kinds in zip(rows, types[0], strict=True)]
        return rows

    def infer(self, rows: Sequence[list[int]]) -> Arrays:
        """The graph's outputs, `logits` among them, float32 (rows, labels)."""
        return self.classifier.session.run(self.classifier.encoder.pad(rows))

    def logits(self, rows: Sequence[list[int]], results: Sequence[Arrays]) -> np.ndarray:
        """The outputs of a request's rows: (rows, labels), or (rows, the longest, labels) with 0 behind each row."""
        if not self.classifier.kind.output.per_token:
            return stacked(results, self.classifier.kind.output.name)
        found = np.zeros((len(rows), max(map(len, rows)), len(self.classifier.labels)), dtype=np.float32)
        for number, (ids, result) in enumerate(zip(rows, results, strict=True)):
            found[number, : len(ids)] = result["logits"][: len(ids)]
        return found

    def outputs(self, request: InferRequest, logits: np.ndarray) -> list[Tensor]:
        """The outputs asked for, in the order asked for; all of them that can be told if none was named."""
        form = self.classifier.form
        hidden = () if self.texts[0] in request.inputs else form.of_text
        asked = request.outputs or [name for name in form.tensors if name not in hidden]
        # Once for all outputs: of many windows the answers are work.
        told = self.answers(request, logits) if any(form.tensors[name].of_answer for name in asked) else ()
        return [self._output(name, request, logits, told) for name in asked]

    def answers(self, request: InferRequest, logits: np.ndarray) -> Sequence[Answer]:
        """The answers to a request's texts."""
        texts, kind = self.texts_of(request), self.classifier.kind
        logits = self._by_row(request, logits)
        if kind.output.over_tokens:
            logits = of_windows(kind, list(logits), windows_of(kind, self.classifier.encoder, texts))
        elif kind.output.per_token:
            logits = kind.reduced(list(logits), places(kind, self.classifier.encoder, texts))
        return self.classifier.form.answers(kind, texts, logits)

    def _output(self, name: str, request: InferRequest, logits: np.ndarray, answers: Sequence[Answer]) -> Tensor:
        tensor = self.classifier.form.tensors[name]
        values: Values
        if tensor.values:
            given = logits if tensor.of_graph else self._by_row(request, logits)
            values = tensor.values(self.classifier.kind, given)
        elif tensor.of_answer:
            told = list(map(tensor.of_answer, answers))
            values = np.array(told, NUMBERS[tensor.datatype]) if tensor.datatype in NUMBERS else list(map(str, told))
        return Tensor(name, tensor.datatype, (len(values),) if isinstance(values, list) else values.shape, values)

    def _by_row(self, request: InferRequest, logits: np.ndarray) -> np.ndarray:
        """What answers are made of: of a row with choices their scores, of a question its cosines with all answers."""
        if self.classifier.index is not None:
            return logits @ self.classifier.index.T
        return logits.reshape(request.inputs[CHOICES].shape) if self.choices else logits

    def texts_of(self, request: InferRequest) -> list[Any]:
        """What the model reads of each row of a request of texts: one, or a tuple of them."""
        columns = [list(request.inputs[name].values) for name in self.texts]
        if self.choices:
            count = request.inputs[CHOICES].shape[1]
            firsts = range(0, len(columns[1]), count)
            return [(text, *columns[1][first : first + count]) for text, first in zip(columns[0], firsts, strict=True)]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def _check_texts(self, inputs: dict[str, Tensor], limits: Limits) -> None:
        if set(inputs) - set(self.texts):
            raise RequestError(400, f"either {self.takes}, not both")
        for name in self.texts:
            if name not in inputs:
                raise RequestError(400, f"input '{name}' is missing: it takes {self.takes}")
            _check_text(inputs[name], limits, name == CHOICES and self.choices)
            if (rows := inputs[name].shape[0]) != (first := inputs[self.texts[0]].shape[0]):
                raise RequestError(400, f"input '{name}' has {rows} rows, '{self.texts[0]}' has {first}")

    def _check_ids(self, inputs: dict[str, Tensor]) -> None:
        for name in self.encoded:
            if name not in inputs:
                raise RequestError(400, f"input '{name}' is missing: it takes {self.takes}")
            if len(inputs[name].shape) != 2:
                raise RequestError(400, f"input '{name}' has shape [rows, tokens], not {list(inputs[name].shape)}")
        ids, mask, *types = (np.asarray(inputs[name].values) for name in self.encoded)
        for name in self.encoded[1:]:
            if inputs[name].shape != inputs[IDS].shape:
                raise RequestError(400, f"input_ids has shape {list(ids.shape)}, {name} {list(inputs[name].shape)}")
        longest = self.classifier.encoder.max_length
        if ids.shape[1] > longest:
            raise RequestError(422, f"{ids.shape[1]} tokens a row, the model takes {longest}")
        if ids.min() < 0 or ids.max() >= self.vocabulary:
            raise RequestError(422, f"an id of input_ids is not in 0 to {self.vocabulary - 1}")
        falling = (np.diff(mask, axis=1) <= 0).all()
        if not (np.isin(mask, (0, 1)).all() and (mask[:, 0] == 1).all() and falling):
            raise RequestError(400, "each row of attention_mask is ones, at least one, and then zeros")
        if types and not np.isin(types[0], (0, 1)).all():
            raise RequestError(400, "token_type_ids are 0 of the first text and 1 of the second")


def _check_text(texts: Tensor, limits: Limits, choices: bool) -> None:
    if choices:
        if len(texts.shape) != 2 or texts.shape[1] < LEAST:
            told = f"has shape [rows, choices], {LEAST} choices or more, not {list(texts.shape)}"
            raise RequestError(400, f"input '{texts.name}' {told}")
        # Each choice waits in the queue: one more than it holds would be put off for ever.
        if len(texts.values) > limits.max_queue:
            raise RequestError(422, f"{len(texts.values)} choices, at most {limits.max_queue} are taken at once")
    elif len(texts.shape) > 2 or texts.shape[1:] not in ((), (1,)):
        raise RequestError(400, f"input '{texts.name}' has shape [rows] or [rows, 1], not {list(texts.shape)}")
    for number, text in enumerate(texts.values):
        if not text.strip():  # a field that a client left out, say: any answer would look like one to a text
            raise RequestError(422, f"text {number} is blank")
        if len(text) > limits.max_text:
            raise RequestError(422, f"text {number} has {len(text)} characters, at most {limits.max_text} are taken")


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
