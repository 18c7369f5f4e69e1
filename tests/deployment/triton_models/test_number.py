"""A regressor's last model.py, run from a written repository; `triton_python_backend_utils` is a stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.deployment.triton import TritonSettings, write_repository
from components.runtime.bundle import load_bundle
from components.serving.task_model import TaskModel
from tests.deployment.test_folder_bundle import small_classifier
from tests.deployment.triton_stand_in import Repository, read_config
from tests.small_language_bundles import LIMITS

TEXTS = ["ship wave whale tide", "門 市 tower street", "海 船 浪", "wheat"]


def regressor_bundle(folder: Path, tokenizer: Path) -> Path:
    """A bundle `stars` of an untrained model that answers with a number."""
    model = small_classifier(folder / "stars", tokenizer, ["LABEL_0"])
    made = folder / "bundle"
    make_bundle(model, made, TEXTS, BundleOptions(("fp32",), measure=False), LIMITS, "stars", lambda line: None)
    return made


def test_a_regressors_numbers_are_those_of_lianzi_predict(tokenizer_folder: Path, tmp_path: Path) -> None:
    bundle = regressor_bundle(tmp_path, tokenizer_folder)
    write_repository(bundle, tmp_path / "models", TritonSettings(pad_to=1))
    config = read_config(tmp_path / "models" / "stars" / "config.pbtxt")
    served = TaskModel.load(bundle).describe()["outputs"]
    assert [(one.name, list(one.dims)) for one in config.output] == [(one["name"], one["shape"]) for one in served]
    given = {"text": np.array([text.encode() for text in TEXTS], dtype=np.object_)}
    answer = Repository(tmp_path / "models").infer("stars", given)
    assert answer["number"] == pytest.approx([one.number for one in load_bundle(bundle).predict(TEXTS)], abs=1e-5)
    task = tmp_path / "models" / "stars_answer" / "1" / "task.json"
    task.write_text(json.dumps({"mean": 3.0, "deviation": 0.5}))
    scaled = Repository(tmp_path / "models").infer("stars", given)
    assert scaled["number"] == pytest.approx(scaled["logits"][:, 0] * 0.5 + 3, abs=1e-5)


def test_a_number_that_is_not_finite_is_an_error(tokenizer_folder: Path, tmp_path: Path) -> None:
    write_repository(regressor_bundle(tmp_path, tokenizer_folder), tmp_path / "models", TritonSettings())
    with pytest.raises(ValueError, match="the answer to row 1 is not a finite number"):
        Repository(tmp_path / "models").infer("stars_answer", {"logits": np.array([[1], [np.nan]], dtype=np.float32)})
