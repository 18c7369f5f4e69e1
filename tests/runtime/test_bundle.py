from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import digest, write_json
from components.errors import ArtifactError, DataError, EngineError
from components.runtime.bundle import Classifier, load_bundle
from components.runtime.manifest import SPEED_FILE
from components.runtime.prediction import softmax
from components.tasks.question_answering import LABELS as SPAN
from components.tasks.question_answering import QuestionAnswering
from tests.small_ladder import LABELS, Ladder

TEXTS = ["ship wave whale tide", "wheat plough barn harvest soil meadow horse", "tower street"]


@pytest.fixture(scope="module")
def classifier(ladder: Ladder) -> Classifier:
    return load_bundle(ladder.bundle)


def test_a_bundle_answers_in_the_order_of_the_texts(classifier: Classifier) -> None:
    predictions = classifier.predict(TEXTS)
    assert [one.label for one in predictions] == ["sea", "field", "city"]
    for one in predictions:
        assert list(one.scores) == LABELS
        assert sum(one.scores.values()) == pytest.approx(1)
        assert one.score == max(one.scores.values())


def test_more_texts_than_a_batch_holds_are_answered_alike(classifier: Classifier) -> None:
    many = classifier.predict(TEXTS * 30)
    assert [one.label for one in many] == ["sea", "field", "city"] * 30


def test_the_shipped_graph_is_the_default_and_others_can_be_asked_for(ladder: Ladder, classifier: Classifier) -> None:
    assert classifier.rung == "int4_embeddings"
    fp32 = load_bundle(ladder.bundle, "fp32")
    assert fp32.rung == "fp32"
    assert np.abs(fp32.logits(TEXTS) - classifier.logits(TEXTS)).max() < 0.5
    assert np.array_equal(load_bundle(ladder.bundle, "onnxruntime").logits(TEXTS), classifier.logits(TEXTS))


def test_a_rung_that_is_not_there_is_refused_with_those_that_are(ladder: Ladder) -> None:
    with pytest.raises(ArtifactError, match=r"no rung 'int4'\nit has fp32, int4_embeddings, int8, int8_static, onnx"):
        load_bundle(ladder.bundle, "int4")


def test_a_measurement_of_this_bundle_decides_what_is_shipped_and_another_does_not(
    ladder: Ladder, tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    measured = {"bundle": digest(bundle), "shipped": "int8"}
    write_json(bundle / SPEED_FILE, measured)
    assert load_bundle(bundle).rung == "int8"
    for strange in ({**measured, "bundle": "0" * 64}, {**measured, "shipped": "int2"}, {}, []):
        write_json(bundle / SPEED_FILE, strange)
        assert load_bundle(bundle).rung == "int4_embeddings"
    (bundle / SPEED_FILE).write_text("{")
    assert load_bundle(bundle).rung == "int4_embeddings"


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="tensorrt is installed here")
def test_an_engine_that_is_not_there_says_why(ladder: Ladder) -> None:
    with pytest.raises(EngineError, match="tensorrt: tensorrt is not installed"):
        load_bundle(ladder.bundle, "tensorrt")


@pytest.mark.parametrize("name", ["models/int8/model.onnx", "models/fp32/model.onnx", "tokenizer.json", "README.md"])
def test_a_flipped_byte_is_refused_by_name(name: str, ladder: Ladder, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name}: changed since it was made"):
        load_bundle(bundle)


def test_a_bundle_without_a_file_or_a_manifest_is_refused(ladder: Ladder, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    (bundle / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: missing"):
        load_bundle(bundle)
    (bundle / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="no bundle here"):
        load_bundle(bundle)


@pytest.mark.parametrize("bad", [None, 3, 2.5, b"bytes", ["nested"], float("nan")])
def test_what_is_no_text_is_named_by_its_place(bad: Any, classifier: Classifier) -> None:
    with pytest.raises(DataError, match=r"text 1: expected a string, found"):
        classifier.predict(["fine", bad])


def test_a_lone_surrogate_is_no_text(classifier: Classifier) -> None:
    with pytest.raises(DataError, match="text 0: not valid Unicode"):
        classifier.predict(["\ud800"])


def test_something_that_holds_no_texts_is_refused(classifier: Classifier) -> None:
    with pytest.raises(DataError, match="expected texts, found int"):
        classifier.predict(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", " ", "\x00", "x" * 100_000, "🙂", "海"])
def test_any_string_gets_a_sane_answer(text: str, classifier: Classifier) -> None:
    prediction = classifier.predict([text])[0]
    assert prediction.label in LABELS
    assert 0 < prediction.score <= 1


def test_one_string_is_one_text_and_no_texts_get_no_answers(classifier: Classifier) -> None:
    assert classifier.predict(TEXTS[0]) == classifier.predict(TEXTS[:1])
    assert classifier.predict([]) == []
    assert replace(classifier, kind=QuestionAnswering(SPAN)).predict([]) == []


def test_softmax_stays_finite_for_large_logits() -> None:
    assert softmax(np.array([[1e4, 0.0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]


def test_serving_needs_neither_torch_nor_transformers_nor_mlflow(ladder: Ladder, root: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from components.runtime.bundle import load_bundle; "
        f"load_bundle(Path({str(ladder.bundle)!r})).predict(['ship']); "
        "print([name for name in ('torch', 'transformers', 'mlflow', 'onnx', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
