"""A project whose rows can be traced and forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from components.artifacts import write_manifest
from components.corpus.curate import curate
from components.run import RecordedRun
from components.tokenization.config import TokenizeConfig
from components.tokenization.pack import tokenize
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, small_data, write
from tests.small_artifacts import small_tokenizer
from tests.small_store import copy_store


@pytest.fixture
def traced(tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose corpus, tasks and tokens are there, and a registered model of the task colour."""
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    copy_store(mlflow_store, tmp_path)
    data, out = small_data(tmp_path / "data"), tmp_path / "artifacts"
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), documents(1)[0] | {"id": "copy"}])
    paths = (data, tmp_path / "removals.txt", out / "corpus", out / "tasks", tmp_path / "reports")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    small_tokenizer(out / "tokenizer")
    tokenize(
        TokenizeConfig(shard_tokens=1024), SOURCES, out / "corpus", out / "tokenizer", out / "tokens", RecordedRun()
    )
    for name, made_from in (
        ("pretrained", {"tokens": out / "tokens"}),
        ("colour/teacher", {"rows": out / "tasks/colour"}),
    ):
        (out / name).mkdir(parents=True)
        write_manifest(out / name, "model", made_from)
    content = YAML(typ="safe").load((root / "params.yaml").read_text())
    content["tasks"] = {"colour": {"kind": "classification", "language": "en", "max_length": 16}}
    YAML().dump(content, tmp_path / "params.yaml")
    return tmp_path
