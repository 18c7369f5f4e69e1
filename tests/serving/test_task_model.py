from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.errors import ArtifactError
from components.runtime.answers import Answer
from components.runtime.bundle import Classifier, load_bundle
from components.runtime.encoding import Encoder, TypedIds
from components.serving.limits import Limits
from components.serving.protocol import InferRequest
from components.serving.request_error import RequestError
from components.serving.task_model import TaskModel
from components.serving.tensors import Tensor
from components.tasks.multiple_choice import MultipleChoice
from components.tasks.question_answering import LABELS, QuestionAnswering
from tests.small_artifacts import sentences
from tests.small_ladder import Ladder


def alone_and_together(classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """Logits of 96 texts, each by itself and in batches with others."""
    model = TaskModel(classifier, classifier.encoder.tokenizer.get_vocab_size())
    rows = classifier.encoder.encode([text for text, _ in sentences(96, seed=5)])
    alone = np.concatenate([model.infer([row])["logits"] for row in rows])
    together = np.concatenate([model.infer(rows[start : start + 32])["logits"] for start in (0, 32, 64)])
    return alone, together


def test_an_fp32_answer_does_not_depend_on_its_batch(ladder: Ladder) -> None:
    alone, together = alone_and_together(load_bundle(ladder.bundle, "fp32"))
    assert np.abs(alone - together).max() < 1e-4


def test_an_int8_answer_depends_on_its_batch_no_more_than_quantization_does(ladder: Ladder) -> None:
    """Dynamic quantization scales a batch's activations by their common range (docs/decisions/0016)."""
    alone, together = alone_and_together(load_bundle(ladder.bundle, "int8"))
    exact, _ = alone_and_together(load_bundle(ladder.bundle, "fp32"))
    assert (alone.argmax(axis=1) == together.argmax(axis=1)).mean() >= 0.98
    assert np.abs(alone - together).max() < 2 * max(np.abs(alone - exact).max(), np.abs(together - exact).max())


def test_an_empty_text_is_answered(model: TaskModel) -> None:
    assert model.infer(model.classifier.encoder.encode([""]))["logits"].shape == (1, 3)


def test_a_text_without_a_token_is_refused(model: TaskModel) -> None:
    """Where the tokenizer puts no special tokens around it."""
    content = json.loads(model.classifier.encoder.tokenizer.to_str()) | {"post_processor": None}
    bare = Encoder(Tokenizer.from_str(json.dumps(content)), 24, 0)
    without = replace(model, classifier=replace(model.classifier, encoder=bare))
    given = Tensor("text", "BYTES", (2,), ["ship", ""])
    with pytest.raises(RequestError, match="text 1 holds no token"):
        without.rows(InferRequest(None, {"text": given}, {}, False))


def test_a_damaged_bundle_is_not_served(ladder: Ladder, tmp_path: Path, make_service: Callable[..., object]) -> None:
    with pytest.raises(ArtifactError):
        make_service(tmp_path)
    copy = tmp_path / "bundle"
    copy.mkdir()
    for path in ladder.bundle.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(ladder.bundle)
            target.parent.mkdir(exist_ok=True, parents=True)
            target.write_bytes(path.read_bytes())
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: changed since it was made"):
        TaskModel.load(copy)


def test_a_row_of_two_texts_has_an_input_for_each(model: TaskModel) -> None:
    classifier = replace(model.classifier, kind=replace(model.classifier.kind, pair=True))
    pairs = replace(model, classifier=replace(classifier, encoder=replace(classifier.encoder, types=True)))
    names = [one["name"] for one in pairs.describe()["inputs"]]
    assert names == ["text", "text_pair", "input_ids", "attention_mask", "token_type_ids"]
    text, other = (Tensor(name, "BYTES", (2,), ["ship", "wave"]) for name in ("text", "text_pair"))
    asked = InferRequest(None, {"text": text, "text_pair": other}, {}, False)
    pairs.check(asked, Limits())
    rows = pairs.rows(asked)
    assert all(isinstance(row, TypedIds) and set(row.types) == {0, 1} for row in rows)
    for inputs, told in (
        ({"text": text}, "input 'text_pair' is missing: it takes text and text_pair, or input_ids"),
        (
            {"text": text, "text_pair": replace(other, shape=(1,), values=["wave"])},
            "'text_pair' has 1 rows, 'text' has 2",
        ),
    ):
        with pytest.raises(RequestError, match=told):
            pairs.check(InferRequest(None, inputs, {}, False), Limits())


def test_more_choices_than_the_queue_holds_are_not_put_off_for_ever(model: TaskModel) -> None:
    kind = MultipleChoice(("score",))
    choosing = replace(model, classifier=replace(model.classifier, kind=kind))
    text = Tensor("text", "BYTES", (1,), ["ship"])

    def ask(count: int) -> None:
        choices = Tensor("choices", "BYTES", (1, count), ["wave"] * count)
        choosing.check(InferRequest(None, {"text": text, "choices": choices}, {}, False), Limits(max_queue=64))

    ask(64)
    with pytest.raises(RequestError, match="100 choices, at most 64 are taken at once") as refusal:
        ask(100)
    assert refusal.value.status == 422


def test_what_several_outputs_tell_of_an_answer_is_found_once(
    model: TaskModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = replace(model, classifier=replace(model.classifier, kind=QuestionAnswering(LABELS)))
    texts = {"question": "who", "context": "a ship and a wave"}
    request = InferRequest(None, {name: Tensor(name, "BYTES", (1,), [text]) for name, text in texts.items()}, {}, False)
    logits = np.zeros((1, len(answering.rows(request)[0]), 2), dtype=np.float32)
    found = TaskModel.answers
    asked: list[InferRequest] = []

    def answers(self: TaskModel, request: InferRequest, logits: np.ndarray) -> Sequence[Answer]:
        asked.append(request)
        return found(self, request, logits)

    monkeypatch.setattr(TaskModel, "answers", answers)
    assert [one.name for one in answering.outputs(request, logits)] == ["answer", "start", "end", "score"]
    assert asked == [request]
