"""components.artifacts: whole or not at all, and damaged ones refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import MANIFEST, digest, read_manifest, staged, verify, write_json, write_manifest
from components.errors import ArtifactError


def make(folder: Path, word: str = "words") -> Path:
    with staged(folder) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a.txt").write_text(word)
        write_manifest(partial, "corpus", {}, rows=1)
    return folder


def fail_half_way(target: Path) -> None:
    with staged(target) as partial:
        (partial / "half").write_text("half")
        raise RuntimeError


def test_a_folder_appears_only_when_its_block_ends_well(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    make(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_stood_there_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "out")
    assert (tmp_path / "out/sub/a.txt").read_text() == "old"


def test_equal_content_has_an_equal_digest_and_other_content_another(tmp_path: Path) -> None:
    one, two, other = make(tmp_path / "one"), make(tmp_path / "two"), make(tmp_path / "other", "other")
    assert digest(one) == digest(two) != digest(other)


def test_a_folder_without_manifest_is_known_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = digest(tmp_path)
    (tmp_path / "a").write_text("y")
    assert digest(tmp_path) != before


def test_the_manifest_names_what_it_was_made_from(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    with staged(tmp_path / "out") as partial:
        write_manifest(partial, "tokens", {"corpus": source})
    assert read_manifest(tmp_path / "out", "tokens")["made_from"] == {"corpus": digest(source)}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "sub/a.txt").write_text("w0rds"), "a.txt: changed since it was made"),
        (lambda folder: (folder / "sub/a.txt").unlink(), "a.txt: missing"),
        (lambda folder: (folder / MANIFEST).unlink(), "no corpus here"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "manifest.json: damaged"),
        (
            lambda folder: write_json(folder / MANIFEST, {"kind": "onnx", "schema": 1}),
            "a onnx of schema 1, not a corpus",
        ),
    ],
)
def test_a_damaged_artifact_is_refused_by_name(tmp_path: Path, damage: object, told: str) -> None:
    folder = make(tmp_path / "out")
    verify(folder, "corpus")
    damage(folder)  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=told):
        verify(folder, "corpus")


def test_a_missing_input_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="dvc pull"):
        digest(tmp_path / "nothing")


def test_json_repeats_byte_for_byte_and_refuses_what_json_has_not(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "炼"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "炼",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "b.json", float("nan"))
