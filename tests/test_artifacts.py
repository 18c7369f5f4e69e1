"""components.artifacts: whole or not at all, and damaged ones refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import (
    MANIFEST,
    digest,
    each_of_kind,
    inherited,
    is_plain_name,
    is_plain_path,
    listed_file,
    of_kind,
    read_manifest,
    verify,
    write_json,
    write_manifest,
)
from components.errors import ArtifactError


def make(folder: Path, word: str = "words") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text(word)
    write_manifest(folder, "corpus", {}, rows=1)
    return folder


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
    (tmp_path / "out").mkdir()
    write_manifest(tmp_path / "out", "tokens", {"corpus": source})
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


@pytest.mark.parametrize("name", ["topic", "Qwen2.5-0.5B", "a", "0", "_x", "炼字", "a.b", "a" * 128])
def test_a_plain_name_can_stand_in_a_path_and_in_an_address(name: str) -> None:
    assert is_plain_name(name)
    assert is_plain_path(f"models/{name}/a.onnx")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-x",
        "a/b",
        "/a",
        "../a",
        "a\\b",
        "a\nb",
        "a\n",
        "a b",
        "a\u2028b",
        "a\x00",
        "a'b",
        "\ud800",
        "a" * 129,
        "炼" * 43,
        None,
        3,
        True,
        ["a"],
        {},
    ],
)
def test_what_is_no_plain_name(name: Any) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize(
    "path",
    ["", ".", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", "a\nb", "a\\b", "a" * 256, "\ud800", None, 1, []],
)
def test_a_path_that_leads_out_or_can_be_written_otherwise_is_none(path: Any) -> None:
    assert not is_plain_path(path)


def test_a_file_has_to_be_listed_and_inside(tmp_path: Path) -> None:
    folder = make(tmp_path / "out")
    files = read_manifest(folder, "corpus")["files"]
    assert listed_file(folder, files, "sub/a.txt") == folder / "sub/a.txt"
    (folder / "beside").write_text("x")
    for name, told in (("beside", "not listed"), ("../out/sub/a.txt", "names no file in it")):
        with pytest.raises(ArtifactError, match=told):
            listed_file(folder, files, name)


@pytest.mark.parametrize("place", ["sub/a.txt", "sub"])
def test_a_link_is_no_file_of_an_artifact(tmp_path: Path, place: str) -> None:
    """Also where what it leads to has the hash that is asked for."""
    folder = make(tmp_path / "out")
    (folder / place).rename(tmp_path / "elsewhere")
    (folder / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match=f"{place}: a link to elsewhere"):
        verify(folder, "corpus")


def test_a_link_that_dvc_made_into_its_cache_is_one(tmp_path: Path) -> None:
    """`dvc config cache.type symlink` is how one copy of the data serves several checkouts."""
    folder = make(tmp_path / "out")
    cached = tmp_path / ".dvc/cache/files/md5/0a/0123456789abcdef0123456789abcd"
    cached.parent.mkdir(parents=True)
    (folder / "sub/a.txt").rename(cached)
    (folder / "sub/a.txt").symlink_to(cached)
    verify(folder, "corpus")
    cached.write_text("changed")
    with pytest.raises(ArtifactError, match="changed since it was made"):
        verify(folder, "corpus")


WHOLE: dict[str, Any] = {"kind": "corpus", "schema": 1, "files": {}, "made_from": {}}
MALFORMED: list[Any] = [
    None,
    3,
    [],
    "manifest",
    {},
    {"kind": "corpus"},
    WHOLE | {"kind": None},
    WHOLE | {"kind": "a\nb"},
    WHOLE | {"schema": True},
    WHOLE | {"schema": "1"},
    WHOLE | {"schema": 1e400},
    WHOLE | {"files": None},
    WHOLE | {"files": ["a"]},
    WHOLE | {"files": {"a": None}},
    WHOLE | {"files": {"a": "0" * 63}},
    WHOLE | {"files": {"../a": "0" * 64}},
    WHOLE | {"files": {"/etc/passwd": "0" * 64}},
    WHOLE | {"files": {"a\nb": "0" * 64}},
    WHOLE | {"made_from": []},
    WHOLE | {"made_from": {"a": 1}},
    WHOLE | {"licences": {"a": None}},
    WHOLE | {"notices": [1]},
    WHOLE | {"notices": "text"},
    WHOLE | {"lineage": []},
    WHOLE | {"lineage": {"a": 1}},
    WHOLE | {"lineage": {"a": {"kind": 1, "made_from": {}}}},
    WHOLE | {"lineage": {"a": {"kind": "x", "made_from": {"b": "a"}}}},
]


@pytest.mark.parametrize("content", MALFORMED)
def test_a_malformed_manifest_is_refused_in_two_lines_and_passed_over_as_an_input(tmp_path: Path, content: Any) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ArtifactError) as raised:
        verify(tmp_path, "corpus")
    assert len(str(raised.value).splitlines()) <= 2
    assert inherited({"model": tmp_path}) == {"lineage": {}, "licences": {}, "notices": []}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"schema": ' + b"1" * 5000 + b"}"])
def test_what_is_no_json_is_refused_in_two_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged") as raised:
        verify(tmp_path, "corpus")
    assert len(str(raised.value).splitlines()) <= 2


def test_a_manifest_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ArtifactError, match="not a file"):
        verify(tmp_path, "corpus")


def test_a_strangers_manifest_does_not_stand_for_a_folder(tmp_path: Path) -> None:
    """A model's folder may hold a manifest of something else, which says nothing of the weights."""
    (tmp_path / MANIFEST).write_text('{"name": "extension", "manifest_version": 3}')
    (tmp_path / "model.safetensors").write_text("weights")
    before = digest(tmp_path)
    (tmp_path / "model.safetensors").write_text("others")
    assert digest(tmp_path) != before


def test_only_a_folder_that_its_manifest_accounts_for_is_of_a_kind(tmp_path: Path) -> None:
    folder, corpus = make(tmp_path / "out"), of_kind("corpus", beside=("note",))
    assert corpus(folder) is None
    assert "not a tokens" in str(of_kind("tokens")(folder))
    (folder / "note").write_text("known to lie beside")
    assert corpus(folder) is None
    for strange in ("thesis.txt", "empty/"):
        (folder / strange).mkdir() if strange.endswith("/") else (folder / strange).write_text("mine")
        assert "not listed" in str(corpus(folder))
        (folder / strange).rmdir() if strange.endswith("/") else (folder / strange).unlink()
    (folder / "link").symlink_to(tmp_path)
    assert "not listed" in str(corpus(folder))
    (folder / "link").unlink()
    (folder / "sub/a.txt").write_text("edited")
    assert "changed since it was made" in str(corpus(folder))


def test_a_folder_of_artifacts_is_known_by_each(tmp_path: Path) -> None:
    make(tmp_path / "all/one")
    make(tmp_path / "all/two")
    assert each_of_kind("corpus")(tmp_path / "all") is None
    (tmp_path / "all/thesis.txt").write_text("mine")
    assert "thesis.txt" in str(each_of_kind("corpus")(tmp_path / "all"))
