from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from components.artifacts import read_manifest, write_manifest
from components.deployment.export import export_graph
from components.deployment.gate import (
    ParityReport,
    check_answers,
    check_index,
    check_meaning,
    check_task,
    verify_against,
)
from components.deployment.layer_parity import first_mismatch
from components.deployment.parity import Parity, TaskParity, shapes
from components.deployment.pytorch import load_model
from components.deployment.rows import read_rows
from components.errors import VerificationError
from components.evaluation.metrics import Interval
from components.inference.onnx_runtime import OnnxRuntime
from components.modeling.checkpoints import load_classifier
from components.params import Params
from components.run import RecordedRun
from components.runtime.encoding import Encoder
from components.runtime.index import index_file, write_index
from components.runtime.manifest import graph_file
from components.runtime.prediction import passage_vectors
from components.tasks.metrics import MacroF1
from components.tasks.regression import Regression
from components.tasks.retrieval import Retrieval
from tests.deployment.planted_faults import CLASSIFIER, FAULTS, graph_of, plant, refusal
from tests.small_kinds import ROW_OF, small_rows
from tests.small_ladder import LABELS, Ladder, small_ladder
from tests.small_tuning import pretrained_folder

IN_TWO_LAYERS = "two layers exchanged"


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory, params: Params, task_rows: Path, tokenizer_folder: Path) -> Ladder:
    """The ladder of a model of two layers."""
    root = tmp_path_factory.mktemp("deep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANZI_CACHE", str(root / "cache"))
        return small_ladder(root, params, task_rows, tokenizer_folder, layers=2)


def test_a_right_ladder_passes_with_each_rung(ladder: Ladder, params: Params) -> None:
    report = verify_against(ladder.bundle, ladder.student, ladder.rows, params.gate)
    assert list(report.metrics()) == ["fp32", "int8", "int8_static", "int4_embeddings"]
    assert report.shapes["fp32"].max_difference < 1e-4
    assert report.noise["fp32"][0] < 1e-5
    assert 1e-3 < report.noise["int8"][0] < 0.1
    assert report.tasks["fp32"].gain.value == 0
    assert report.metrics()["int8"]["agreement"] > 0.95


@pytest.mark.parametrize("name", [name for name in CLASSIFIER if name != IN_TWO_LAYERS])
def test_a_planted_fault_is_refused_by_the_part_and_name_it_has(
    name: str, ladder: Ladder, params: Params, tmp_path: Path
) -> None:
    bundle = plant(CLASSIFIER[name], ladder, tmp_path)
    refused = refusal(bundle, ladder, params.gate)
    assert refused is not None
    assert refused.part == CLASSIFIER[name].part
    assert CLASSIFIER[name].named in refused.reason


@pytest.fixture(scope="module", params=[kind for kind in FAULTS if kind not in ("classification", "generation")])
def another_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, params: Params, tokenizer_folder: Path
) -> tuple[str, Ladder]:
    """The ladder of a task of another kind."""
    root, kind = tmp_path_factory.mktemp(request.param), request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANZI_CACHE", str(root / "cache"))
        rows = small_rows(root / "rows", kind, ROW_OF[kind])
        return kind, small_ladder(root / "ladder", params, rows, tokenizer_folder)


def test_a_fault_of_another_kind_is_refused_by_the_part_and_name_it_has(
    another_kind: tuple[str, Ladder], params: Params, tmp_path: Path
) -> None:
    kind, ladder = another_kind
    assert not verify_against(ladder.bundle, ladder.student, ladder.rows, params.gate).refused
    for number, (name, fault) in enumerate(FAULTS[kind].items()):
        refused = refusal(plant(fault, ladder, tmp_path / str(number)), ladder, params.gate)
        assert refused is not None, name
        assert refused.part == fault.part, name
        assert fault.named in refused.reason, name


@pytest.mark.parametrize("name", [name for name, fault in CLASSIFIER.items() if fault.layer and name != IN_TWO_LAYERS])
def test_bisection_alone_finds_the_layer(name: str, ladder: Ladder, params: Params, tmp_path: Path) -> None:
    assert bisected(name, ladder, params, tmp_path) == CLASSIFIER[name].layer


def bisected(name: str, ladder: Ladder, params: Params, folder: Path) -> str | None:
    rung = CLASSIFIER[name].part.removeprefix("rung ")
    bundle = plant(CLASSIFIER[name], ladder, folder)
    encoder = Encoder.load(ladder.student / "tokenizer.json", 24, 0)
    batches = shapes(encoder, read_rows(ladder.rows, "validation", LABELS).texts)
    batch = max(batches.values(), key=lambda feeds: feeds["input_ids"].size)
    limit = 1e-4 if rung == "fp32" else params.gate.max_noise
    graph, right = onnx.load(graph_of(bundle, rung)), onnx.load(ladder.onnx / "model.onnx")
    found = first_mismatch(load_model(ladder.student), graph, batch, limit, right)
    return found and found.layer


def test_two_layers_that_changed_places_are_told_from_a_deeper_model(
    deep: Ladder, params: Params, tmp_path: Path
) -> None:
    """Every weight is there under its name, so the layers' outputs have to tell."""
    verify_against(deep.bundle, deep.student, deep.rows, params.gate)
    bundle = plant(CLASSIFIER[IN_TWO_LAYERS], deep, tmp_path / "one")
    with pytest.raises(VerificationError, match=r"rung fp32: layer model\.layers\.0\.attn\.Wqkv \(3 of 17\)"):
        verify_against(bundle, deep.student, deep.rows, params.gate)
    assert bisected(IN_TWO_LAYERS, deep, params, tmp_path / "two") == CLASSIFIER[IN_TWO_LAYERS].layer


def test_a_file_that_is_not_the_listed_one_is_refused(ladder: Ladder, params: Params, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    (bundle / "README.md").write_text("another card")
    with pytest.raises(VerificationError, match=r"files: .*README\.md: changed"):
        verify_against(bundle, ladder.student, ladder.rows, params.gate)


def test_labels_that_training_took_for_each_other_are_seen_in_the_answers() -> None:
    targets = np.repeat([0, 1, 2], 20)
    answers = np.repeat([0, 2, 1], 20)
    with pytest.raises(VerificationError, match="labels: 'field' and 'sea' look exchanged: 20 rows"):
        check_meaning(LABELS, targets, answers)
    check_meaning(LABELS, targets, np.repeat([0, 1, 1], 20))
    check_meaning(LABELS, targets[::4], answers[::4])  # ten rows may be chance


def test_a_model_of_other_rows_is_refused(ladder: Ladder, params: Params, tmp_path: Path) -> None:
    rows = Path(shutil.copytree(ladder.rows, tmp_path / "rows"))
    made = (rows / "manifest.json").read_text(encoding="utf-8")
    (rows / "manifest.json").write_text(made.replace('"sea"', '"desert"'), encoding="utf-8")
    with pytest.raises(VerificationError, match="labels: 'desert' is only among the rows' labels"):
        verify_against(ladder.bundle, ladder.student, rows, params.gate)


def a_report(gain: Interval, agreement: float) -> ParityReport:
    tasks = {"int8": TaskParity(MacroF1(3), 0.7, gain, agreement)}
    return ParityReport(100, {"int8": Parity(0.2, 0.1, 1, "")}, tasks, {})


def test_a_rung_that_surely_loses_too_much_is_refused(params: Params) -> None:
    """One whose loss may be chance passes."""
    lost, unsure = Interval(-0.2, -0.25, -0.15), Interval(-0.2, -0.5, 0.1)
    with pytest.raises(VerificationError, match=r"int8: loses 0\.2000 macro-F1 to PyTorch \(0\.1500 to 0\.2500\)"):
        check_answers("int8", a_report(lost, 1.0), params.gate)
    with pytest.raises(VerificationError, match=r"int8: answers as PyTorch on 50\.0% of 100 rows"):
        check_answers("int8", a_report(unsure, 0.5), params.gate)
    check_answers("int8", a_report(unsure, 1.0), params.gate)


def test_a_refused_rung_does_not_stop_those_above_it(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    gate = params.gate.model_copy(update={"max_noise": 1e-4})
    ladder.build(params.model_copy(update={"gate": gate}), tmp_path / "bundle", run)
    made = read_manifest(tmp_path / "bundle", "bundle")
    assert (made["ladder"], made["candidate"]) == (["fp32"], "fp32")
    layer = "is refused by the gate: layer model.embeddings.tok_embeddings (1 of 11): its output"
    assert made["quantization"]["int8"]["reason"].startswith(layer)
    assert read_manifest(ladder.bundle, "bundle")["candidate"] == "int4_embeddings"


@pytest.mark.parametrize("changed", [{"deviation": 2.5}, {"mean": 0.0}])
def test_a_regression_on_another_scale_is_refused(changed: dict[str, float], tmp_path: Path) -> None:
    trained = Regression(("number",), mean=3.0, deviation=1.5).manifest()
    write_manifest(tmp_path, "classifier", {}, **trained)
    assert check_task(trained, tmp_path).manifest() == trained
    name, value = next(iter(changed.items()))
    with pytest.raises(VerificationError, match=f"{name}: {value}, and the checkpoint's is {trained[name]}"):
        check_task(trained | changed, tmp_path)


def test_an_index_whose_vectors_are_not_the_rungs_own_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer_folder)
    graph = tmp_path / graph_file("fp32", "model")
    graph.parent.mkdir(parents=True)
    model = load_classifier(pretrained, ("vector",), 0.0, "embedding").model.eval()
    graph.write_bytes(export_graph(model, 20).SerializeToString())
    task, encoder = (
        Retrieval(("vector",), ("ship wave", "street tower")),
        Encoder.load(tokenizer_folder / "tokenizer.json", 16, 0),
    )
    made = {"rungs": {"fp32": {"model": graph_file("fp32", "model")}}, "files": {index_file("fp32"): ""}}
    vectors = passage_vectors(task, OnnxRuntime().load(graph).run, encoder)

    write_index(tmp_path, "fp32", vectors)
    check_index("fp32", tmp_path, made, task, encoder)
    write_index(tmp_path, "fp32", vectors[::-1])
    with pytest.raises(VerificationError, match="other vectors"):
        check_index("fp32", tmp_path, made, task, encoder)
