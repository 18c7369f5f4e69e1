from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedModel,
)

from components.artifacts import verify
from components.deployment.description import BundleOptions
from components.deployment.folder_bundle import make_bundle, rungs_named
from components.deployment.quantizers import QUANTIZERS, quantized
from components.errors import ArtifactError, DoesNotFit, ParameterError
from components.runtime.bundle import load_bundle
from components.runtime.generation.generator import load_generator
from tests.small_language_bundles import LIMITS, TEXTS


def test_a_bundle_holds_every_accepted_rung_and_says_how_it_was_made(decoder_bundle: Path) -> None:
    manifest = verify(decoder_bundle, "bundle")
    assert manifest["form"] == "generation"
    assert manifest["name"] == "gpt2"
    assert set(manifest["rungs"]) == {"fp32", "int8", "int4"}
    assert manifest["candidate"] == "int4"
    assert manifest["versions"].keys() >= {"torch", "onnx", "onnxscript", "transformers"}
    assert (manifest["opset"], manifest["max_length"], manifest["stop_ids"]) == (20, 64, [2])
    assert manifest["megabytes"]["int4"] < manifest["megabytes"]["int8"] < manifest["megabytes"]["fp32"] / 2
    assert manifest["proof"]["fp32"]["greedy_exact"] == 1.0
    assert set(manifest["files"]) >= {"README.md", "tokenizer.json", "tokenizer_config.json"}


def test_encoder_decoders_have_two_graphs_and_encoders_one(
    encoder_decoder_bundle: Path, embedding_bundle: Path
) -> None:
    two, one = verify(encoder_decoder_bundle, "bundle"), verify(embedding_bundle, "bundle")
    assert two["rungs"]["fp32"] == {"encoder": "models/fp32/encoder.onnx", "decoder": "models/fp32/decoder.onnx"}
    assert two["start_id"] == 0
    assert one["form"] == "embedding"
    assert one["rungs"]["int8"] == {"encoder": "models/int8/encoder.onnx"}


def test_what_fails_leaves_nothing_behind(
    decoder_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = {"decoder": onnx.load(decoder_bundle / "models/fp32/decoder.onnx")}  # exporting them again takes seconds
    monkeypatch.setattr("components.deployment.folder_bundle.export_graphs", lambda *given: graphs)
    options, strict = BundleOptions(rungs=("fp32",), measure=False), LIMITS.model_copy(update={"max_difference": 1e-12})
    with pytest.raises(ArtifactError):
        make_bundle(decoder_bundle.parent / "gpt2", tmp_path / "bundle", TEXTS, options, strict, say=lambda line: None)
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_told_before_the_export(
    decoder_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.deployment.folder_bundle.export_graphs", lambda *_: pytest.fail("exported"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 4096, 4096))  # type: ignore[attr-defined]
    with pytest.raises(DoesNotFit, match=r"bundle: takes about 0\.\d MB, 0\.0 are free there\nfree some"):
        make_bundle(
            decoder_bundle.parent / "gpt2", tmp_path / "bundle", TEXTS, BundleOptions(), LIMITS, say=lambda line: None
        )
    assert not list(tmp_path.iterdir())


def test_a_bundle_is_replaced_by_the_next_one_signature_and_all(
    decoder_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = {"decoder": onnx.load(decoder_bundle / "models/fp32/decoder.onnx")}
    monkeypatch.setattr("components.deployment.folder_bundle.export_graphs", lambda *given: graphs)
    options = BundleOptions(rungs=("fp32",), measure=False)
    folder = Path(shutil.copytree(decoder_bundle, tmp_path / "bundle"))
    (folder / "manifest.sig").write_bytes(b"of the one before")
    make_bundle(decoder_bundle.parent / "gpt2", folder, TEXTS, options, LIMITS, say=lambda line: None)
    assert set(verify(folder, "bundle")["rungs"]) == {"fp32"}
    assert not (folder / "manifest.sig").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_rungs_come_in_the_ladders_order_and_fp32_always() -> None:
    assert rungs_named("int4") == ("fp32", "int4")
    assert rungs_named("int4, int8") == ("fp32", "int8", "int4")
    with pytest.raises(ParameterError, match="no rung 'int3'"):
        rungs_named("int3")


def test_the_shipped_rung_answers_by_default(decoder_bundle: Path) -> None:
    assert load_generator(decoder_bundle).rung == "int4"


def test_a_rung_that_cannot_be_made_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> object:
        raise ValueError("/some/where/graph: no such operator\nand more")

    monkeypatch.setitem(QUANTIZERS, "int8", broken)
    monkeypatch.setitem(QUANTIZERS, "int4", lambda graph: graph)
    made, unmade = quantized({"decoder": ModelProto()}, ("fp32", "int8", "int4"))
    assert list(made) == ["int4"]
    assert unmade == {"int8": "cannot be made: ValueError: graph: no such operator"}


def test_a_full_disk_is_no_verdict_on_a_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(QUANTIZERS, "int8", full)
    with pytest.raises(OSError, match="No space left"):
        quantized({"decoder": ModelProto()}, ("fp32", "int8"))


def test_a_classifier_from_elsewhere_is_bundled_and_answers_as_its_own_library(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    classifier = small_classifier(tmp_path / "mood", tokenizer_folder, ["calm", "sad", "wild"])
    made = make_bundle(classifier, tmp_path / "bundle", TEXTS, BundleOptions(measure=False), LIMITS, say=print)
    assert made["form"] == "classification"
    assert made["labels"] == ["calm", "sad", "wild"]
    assert made["candidate"] != "fp32"
    loaded = load_bundle(tmp_path / "bundle", "fp32")
    expected = own_logits(classifier, TEXTS)
    assert np.abs(loaded.logits(TEXTS) - expected).max() < 1e-4
    answered = [str(answer).split("\t")[0] for answer in loaded.predict(TEXTS)]
    assert answered == [made["labels"][row.argmax()] for row in expected]
    card = (tmp_path / "bundle/README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "one of 3 labels: `calm`, `sad`, `wild`" in card


def test_a_regressor_from_elsewhere_answers_with_its_numbers(tokenizer_folder: Path, tmp_path: Path) -> None:
    regressor = small_classifier(tmp_path / "stars", tokenizer_folder, ["LABEL_0"])
    make_bundle(regressor, tmp_path / "bundle", TEXTS, BundleOptions(("fp32",), measure=False), LIMITS, say=print)
    numbers = [float(str(answer)) for answer in load_bundle(tmp_path / "bundle").predict(TEXTS)]
    assert numbers == pytest.approx(own_logits(regressor, TEXTS)[:, 0].tolist(), abs=1e-4)


def test_a_head_with_several_answers_at_once_gives_sets_of_labels(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = small_classifier(tmp_path / "mood", tokenizer_folder, ["calm", "wild"])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": "multi_label_classification"}))
    make_bundle(folder, tmp_path / "bundle", TEXTS, BundleOptions(("fp32",), measure=False), LIMITS, say=print)
    expected = own_logits(folder, TEXTS) >= 0
    given = [answer.json()["labels"] for answer in load_bundle(tmp_path / "bundle").predict(TEXTS)]
    assert given == [[label for label, has in zip(["calm", "wild"], row, strict=True) if has] for row in expected]


def test_a_tagger_from_elsewhere_answers_with_entities(tokenizer_folder: Path, tmp_path: Path) -> None:
    tags = ["B-LOC", "I-LOC", "O"]
    tagger = small_classifier(tmp_path / "names", tokenizer_folder, tags, BertForTokenClassification)
    made = make_bundle(tagger, tmp_path / "bundle", TEXTS, BundleOptions(("fp32",), measure=False), LIMITS, say=print)
    assert (made["task_kind"], made["labels"]) == ("token_classification", tags)
    answered = load_bundle(tmp_path / "bundle").predict(TEXTS)
    found = [(text, one) for text, answer in zip(TEXTS, answered, strict=True) for one in answer.entities]  # type: ignore[union-attr]
    assert found
    assert all(text[one.start : one.end] == one.text and one.label == "LOC" for text, one in found)
    assert "pipeline_tag: token-classification" in (tmp_path / "bundle/README.md").read_text()


def test_a_tagger_whose_labels_are_no_tags_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    tagger = small_classifier(tmp_path / "names", tokenizer_folder, ["LABEL_0", "LABEL_1"], BertForTokenClassification)
    with pytest.raises(ArtifactError, match=r"names: config.json: tag 'LABEL_0' is not O, B-TYPE"):
        make_bundle(tagger, tmp_path / "bundle", TEXTS, BundleOptions(), LIMITS, say=print)


def small_classifier(
    folder: Path, tokenizer: Path, labels: list[str], made: type[PreTrainedModel] = BertForSequenceClassification
) -> Path:
    """A BERT of two layers with random weights and this many outputs, as transformers saves it."""
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 96}
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    config = BertConfig(vocab_size=400, max_position_embeddings=64, initializer_range=0.4, **sizes, **names)
    made(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    return folder


def own_logits(folder: Path, texts: list[str]) -> np.ndarray:
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        rows = [model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).logits for text in texts]
    return torch.cat(rows).numpy()
