from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from components.artifacts import digest, read_manifest, write_manifest
from components.deployment.notices import LIBRARIES, library, notice, write_notices
from tests.small_ladder import Ladder


def made(folder: Path, kind: str, above: dict[str, Path], **details: object) -> Path:
    folder.mkdir()
    write_manifest(folder, kind, above, **details)
    return folder


def small_chain(folder: Path) -> dict[str, Path]:
    """Data, a task cut out of the corpus, the corpus, a model of it fine-tuned on the task."""
    (folder / "data").mkdir()
    (folder / "data" / "poems.txt").write_text("床前明月光")
    task = made(
        folder / "task", "task", {"rows": folder / "data"}, notices=["tasks: CC0"], licences={"rows": "CC0-1.0"}
    )
    corpus = {"corpus": folder / "data", "task_form": task}
    made(folder / "corpus", "corpus", corpus, licences={"詩": "MIT"}, notices=["poems: MIT, © a poet"])
    model = made(folder / "model", "pretrained", {"tokens": folder / "corpus"}, licences={"weights of x": "unknown"})
    made(folder / "tuned", "classifier", {"pretrained": model, "rows": task})
    return {"student": folder / "tuned"}


def test_licences_and_notices_come_down_the_chain_of_manifests(tmp_path: Path) -> None:
    write_notices(tmp_path, small_chain(tmp_path))
    text = (tmp_path / "NOTICE").read_text(encoding="utf-8")
    for line in ("- 詩: MIT", "- rows: CC0-1.0", "- weights of x: unknown", "poems: MIT, © a poet", "tasks: CC0"):
        assert line in text


def test_a_task_that_only_took_rows_out_of_a_corpus_did_not_go_into_it(tmp_path: Path) -> None:
    small_chain(tmp_path)
    assert read_manifest(tmp_path / "model", "pretrained")["licences"] == {"詩": "MIT", "weights of x": "unknown"}


def test_the_libraries_are_named_with_version_and_licence() -> None:
    text = notice({"licences": {}, "notices": []})
    for name in LIBRARIES:
        assert f"- {name} {version(name)}: " in text
    assert "None is named" in text
    assert library("onnxruntime")[2] == "MIT License"
    assert library("tokenizers")[2] == "Apache Software License"
    assert library("numpy")[2].startswith("BSD-3-Clause")


def test_lineage_reaches_from_the_bundle_to_the_data(tmp_path: Path) -> None:
    write_notices(tmp_path, small_chain(tmp_path))
    student = json.loads((tmp_path / "lineage.json").read_text())["student"]
    assert (student["kind"], student["digest"]) == ("classifier", digest(tmp_path / "tuned"))
    corpus = student["made_from"]["pretrained"]["made_from"]["tokens"]
    assert corpus["kind"] == "corpus"
    assert corpus["made_from"]["corpus"] == {"digest": digest(tmp_path / "data")}


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    above = small_chain(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_notices(tmp_path / name, above)
    for name in ("NOTICE", "lineage.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_bundle_has_both_and_its_card_says_so(ladder: Ladder) -> None:
    lineage = json.loads((ladder.bundle / "lineage.json").read_text())
    assert lineage["onnx"]["made_from"]["student"]["digest"] == digest(ladder.student)
    assert "onnxruntime" in (ladder.bundle / "NOTICE").read_text()
    assert {"NOTICE", "lineage.json"} <= set(read_manifest(ladder.bundle, "bundle")["files"])
    assert "`NOTICE`" in (ladder.bundle / "README.md").read_text()
