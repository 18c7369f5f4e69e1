"""The repository that `lianzi triton` writes, read by Triton's schema and run by a stand-in for Triton."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format

from benchmarks.peers.environment import KEPT
from components.artifacts import digest, read_manifest
from components.deployment import triton
from components.deployment.triton import TritonSettings, write_repository
from components.errors import ArtifactError, EngineError, ParameterError
from components.inference.engines import ENGINES
from components.inference.nvidia import Host
from components.runtime.answers import ENTITIES
from components.runtime.bundle import load_bundle
from components.serving.task_model import TaskModel
from tests.deployment.triton_stand_in import SCHEMA, Repository, read_config
from tests.small_bundles import CLASSIFIER, GENERATOR, bundle
from tests.small_ladder import Ladder

TEXTS = ["ship wave whale tide", "門 市 tower street", "海 船 浪", "wheat"]
SETTINGS = TritonSettings(delay=250, max_queue=9, instances=3, pad_to=4)


@pytest.fixture(scope="module")
def repository(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    write_repository(ladder.bundle, folder, SETTINGS)
    return folder


def text(texts: list[str]) -> dict[str, np.ndarray]:
    return {"text": np.array([text.encode() for text in texts], dtype=np.object_)}


def described(tensors: Any) -> list[dict[str, Any]]:
    """As the Open Inference Protocol describes tensors."""
    names = {"TYPE_STRING": "BYTES", "TYPE_FP32": "FP32", "TYPE_INT64": "INT64"}
    kinds = type(tensors[0]).DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number
    return [
        {"name": one.name, "datatype": names[kinds[one.data_type].name], "shape": list(one.dims)} for one in tensors
    ]


def test_every_configuration_fits_tritons_schema_and_its_folder(repository: Path) -> None:
    paths = sorted(repository.rglob("*.pbtxt"))
    assert len(paths) == 5
    for path in paths:
        folder = path.parent.parent if path.parent.name == "configs" else path.parent
        assert read_config(path).name == folder.name
        assert (folder / "1").is_dir()
        assert any((folder / "1").iterdir())


def test_a_misspelt_field_fails(repository: Path, tmp_path: Path) -> None:
    content = (repository / "places_classifier" / "config.pbtxt").read_text()
    (tmp_path / "config.pbtxt").write_text(content.replace("max_queue_size", "max_queue_sise"))
    with pytest.raises(text_format.ParseError, match="max_queue_sise"):
        read_config(tmp_path / "config.pbtxt")


def test_the_schema_is_the_one_tritons_client_ships() -> None:
    folder = next(iter((KEPT / "serving").glob("lib/python*/site-packages/tritonclient/grpc")), None)
    if folder is None:
        pytest.skip("no environment with Triton's client: `make peers` makes it")
    # By its path: the package around it wants gRPC.
    spec = spec_from_file_location("model_config_pb2", folder / "model_config_pb2.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.DESCRIPTOR.serialized_pb == SCHEMA.read_bytes()


def test_the_ensemble_offers_what_lianzi_serve_offers(repository: Path, ladder: Ladder) -> None:
    config = read_config(repository / "places" / "config.pbtxt")
    served = TaskModel.load(ladder.bundle).describe()
    assert described(config.input) == [one for one in served["inputs"] if one["name"] == "text"]
    assert described(config.output) == served["outputs"]
    assert config.parameters["bundle"].string_value == digest(ladder.bundle)


@pytest.mark.parametrize("pad_to", [1, 8])
def test_the_ensembles_answers_are_those_of_lianzi_predict(ladder: Ladder, tmp_path: Path, pad_to: int) -> None:
    write_repository(ladder.bundle, tmp_path, TritonSettings(pad_to=pad_to))
    triton_models, classifier = Repository(tmp_path), load_bundle(ladder.bundle)
    for texts in (*([text] for text in TEXTS), TEXTS):
        answer, expected = triton_models.infer("places", text(texts)), classifier.predict(texts)
        assert [label.decode() for label in answer["label"]] == [one.label for one in expected]
        # int8 scales activations by the batch they stand in, padding among them.
        scores = np.array([list(one.scores.values()) for one in expected])
        assert np.abs(answer["scores"] - scores).max() < (1e-6 if pad_to == 1 and len(texts) == 1 else 0.05)
        assert answer["logits"].shape == answer["scores"].shape


def test_a_form_of_answers_that_triton_has_no_model_for_is_refused(
    ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "answer_form", lambda task: ENTITIES)
    with pytest.raises(ArtifactError, match=r"answers with entities, which Triton's models do not"):
        write_repository(ladder.bundle, tmp_path / "models", SETTINGS)


def test_the_classifier_is_the_shipped_graph_with_its_tensors(repository: Path, ladder: Ladder) -> None:
    manifest = read_manifest(ladder.bundle, "bundle")
    written = repository / "places_classifier" / "1" / "model.onnx"
    assert written.read_bytes() == (ladder.bundle / manifest["rungs"][manifest["candidate"]]["model"]).read_bytes()
    session = onnxruntime.InferenceSession(str(written))
    config = read_config(repository / "places_classifier" / "config.pbtxt")
    for declared, own in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert [one.name for one in declared] == [one.name for one in own]
        assert [len(one.dims) + 1 for one in declared] == [len(one.shape) for one in own]
    assert [one["datatype"] for one in described(config.input)] == ["INT64", "INT64"]


def test_batches_queues_and_instances_are_as_asked_for(repository: Path, ladder: Ladder) -> None:
    config = read_config(repository / "places_classifier" / "config.pbtxt")
    most = read_manifest(ladder.bundle, "bundle")["max_batch"]
    assert config.max_batch_size == most
    assert list(config.dynamic_batching.preferred_batch_size) == [most // 4, most]
    assert config.dynamic_batching.max_queue_delay_microseconds == 250
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 9
    assert [group.count for group in config.instance_group] == [3]
    assert config.parameters["intra_op_thread_count"].string_value == "1"


def written(bundle: Path, folder: Path) -> dict[Path, bytes]:
    write_repository(bundle, folder, SETTINGS)
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writing_again_gives_the_same_bytes_and_leaves_other_models_alone(ladder: Ladder, tmp_path: Path) -> None:
    (tmp_path / "other" / "1").mkdir(parents=True)
    first, second = written(ladder.bundle, tmp_path), written(ladder.bundle, tmp_path)
    assert first == second
    assert (tmp_path / "other" / "1").is_dir()
    assert not list(tmp_path.glob(".*"))


def test_a_plan_is_prepared_and_filled_where_tensorrt_is(
    ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that writes a file stands in for TensorRT: what is tested is where its plan goes."""

    @dataclass(frozen=True)
    class Planner:
        name: str = "tensorrt"
        writes: str = "model.engine"
        flags: tuple[str, ...] = ()

        def host(self) -> Host:
            return Host()

        def available(self) -> str | None:
            return None

        def version(self) -> str:
            return "11"

        def build(self, onnx: Path, folder: Path, profile: Any) -> Path:
            (folder / self.writes).write_bytes(b"plan of " + onnx.name.encode())
            return folder / self.writes

    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(ENGINES, "tensorrt", Planner())  # type: ignore[arg-type]
    write_repository(ladder.bundle, tmp_path / "models", SETTINGS, plan=True)
    folder = tmp_path / "models" / "places_classifier"
    config = read_config(folder / "configs" / "tensorrt.pbtxt")
    assert (folder / "1" / config.default_model_filename).read_bytes() == b"plan of model.onnx"
    assert config.backend == "tensorrt"
    assert [list(group.profile) for group in config.instance_group] == [["0", "1", "2", "3"]]
    assert described(config.input) == described(read_config(folder / "config.pbtxt").input)


@pytest.mark.skipif(ENGINES["tensorrt"].available() is None, reason="TensorRT is here")
def test_a_plan_without_tensorrt_is_refused_before_anything_is_written(ladder: Ladder, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="tensorrt: tensorrt is not installed"):
        write_repository(ladder.bundle, tmp_path, SETTINGS, plan=True)
    assert not list(tmp_path.iterdir())


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="a bundle for generation, not for classification"):
        write_repository(bundle(tmp_path / "bundle", GENERATOR), tmp_path / "models", SETTINGS)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("part", ["places", "places_answer"])
def test_a_model_that_others_wrote_is_left_alone_and_none_is_written(ladder: Ladder, tmp_path: Path, part: str) -> None:
    (tmp_path / part / "1").mkdir(parents=True)
    (tmp_path / part / "1" / "model.onnx").write_text("theirs")
    with pytest.raises(ArtifactError, match=f"{part}: there is something else here"):
        write_repository(ladder.bundle, tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.rglob("*")] == [part, "1", "model.onnx"]


@pytest.mark.parametrize("place", [".", "triton"])
def test_a_repository_inside_the_bundle_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ParameterError, match="inside the bundle"):
        write_repository(bundle(tmp_path, CLASSIFIER), tmp_path / place, SETTINGS)


def test_labels_reach_the_answers_whatever_is_in_them(ladder: Ladder, tmp_path: Path) -> None:
    write_repository(ladder.bundle, tmp_path, SETTINGS)
    odd = ['say "sea"', "田\n野", "c\\d"]
    (tmp_path / "places_answer" / "1" / "task.json").write_text(json.dumps({"labels": odd}))
    found = Repository(tmp_path).infer("places", text(TEXTS))["label"]
    assert {label.decode() for label in found} <= set(odd)
