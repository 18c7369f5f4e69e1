"""components.runtime.manifest: what a bundle's manifest says is taken for what it is, or refused in two lines."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from components.errors import ArtifactError
from components.runtime.manifest import FIELDS, bundle_of, form_of, model_name, read_bundle, whole_bundle
from tests.small_bundles import CLASSIFIER, EMBEDDER, GARBAGE, GENERATOR, MALFORMED, bundle, rewrite

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("details", "form", "name"),
    [(CLASSIFIER, "classification", "places"), (GENERATOR, "generation", "words"), (EMBEDDER, "embedding", "words")],
)
def test_a_manifest_that_is_right_is_taken_by_every_reader(
    tmp_path: Path, details: dict[str, Any], form: str, name: str
) -> None:
    manifest = whole_bundle(bundle(tmp_path, details))
    assert manifest == read_bundle(tmp_path) == bundle_of(tmp_path, form)
    assert (form_of(manifest), model_name(manifest)) == (form, name)


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_manifest_is_refused_in_two_lines(tmp_path: Path, case: str) -> None:
    details, changes = MALFORMED[case]
    rewrite(bundle(tmp_path, details), **changes)
    for reader in (read_bundle, whole_bundle):
        with pytest.raises(ArtifactError) as raised:
            reader(tmp_path)
        assert len(str(raised.value).splitlines()) <= 2


@pytest.mark.parametrize("details", [CLASSIFIER, GENERATOR, EMBEDDER], ids=["classifier", "generator", "embedder"])
def test_any_garbage_in_any_field_is_taken_or_refused_and_never_a_bug(tmp_path: Path, details: dict[str, Any]) -> None:
    told = []
    for field in [*details, "files", "made_from", "lineage", "licences", "notices", "kind", "schema"]:
        for value in GARBAGE:
            told.append(refusal(rewrite(bundle(tmp_path, details), **{field: value})))
    assert max(len(one.splitlines()) for one in told) <= 2
    assert len([one for one in told if one]) > len(told) / 2


def refusal(folder: Path) -> str:
    """Nothing where the manifest is taken, and then every field is what its readers take it for."""
    try:
        manifest = whole_bundle(folder)
    except ArtifactError as error:
        return str(error)
    wrong = [name for name, rule in FIELDS[form_of(manifest)].items() if not rule.holds(manifest[name])]
    return f"taken with a wrong {wrong[0]}\nwhich\nno one saw" if wrong else ""


def test_a_file_beside_the_graphs_that_no_hash_covers_is_refused(tmp_path: Path) -> None:
    """A graph may read its weights from it."""
    bundle(tmp_path, CLASSIFIER)
    (tmp_path / "models/fp32/model.onnx.data").write_text("other weights")
    with pytest.raises(ArtifactError, match=r"model\.onnx\.data: not listed in manifest\.json"):
        whole_bundle(tmp_path)


def test_a_graph_behind_a_link_is_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle", CLASSIFIER)
    (tmp_path / "bundle/models/fp32/model.onnx").rename(tmp_path / "fp32.onnx")
    (tmp_path / "bundle/models/fp32/model.onnx").symlink_to(tmp_path / "fp32.onnx")
    with pytest.raises(ArtifactError, match=r"model\.onnx: a link to elsewhere"):
        whole_bundle(tmp_path / "bundle")


def test_another_form_or_rung_than_asked_for_is_refused_by_name(tmp_path: Path) -> None:
    bundle(tmp_path, CLASSIFIER)
    with pytest.raises(ArtifactError, match="a bundle for classification, not for generation"):
        bundle_of(tmp_path, "generation")
    with pytest.raises(ArtifactError, match="no rung 'int4'\nit has fp32, int8, onnxruntime"):
        bundle_of(tmp_path, "classification", "int4")


def test_an_older_bundle_with_one_path_a_rung_is_still_read(tmp_path: Path) -> None:
    older = rewrite(
        bundle(tmp_path, CLASSIFIER), rungs={"fp32": "models/fp32/model.onnx"}, candidate="fp32", ladder=...
    )
    read = whole_bundle(rewrite(older, engines={}))
    assert (read["rungs"], read["ladder"]) == ({"fp32": {"model": "models/fp32/model.onnx"}}, ["fp32"])


def test_an_older_bundle_without_a_ladder_is_still_read(tmp_path: Path) -> None:
    rewrite(bundle(tmp_path, CLASSIFIER), ladder=..., quantization=..., candidate=..., shipped="int8")
    manifest = whole_bundle(tmp_path)
    assert (manifest["candidate"], manifest["ladder"]) == ("int8", ["fp32", "int8"])


def test_nobody_reads_a_bundles_manifest_in_another_way() -> None:
    """One reader checks what all of them take for granted."""
    found = []
    for path in [*ROOT.glob("components/**/*.py"), *ROOT.glob("flows/*.py"), *ROOT.glob("cli/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("read_manifest", "verify")
            ):
                kinds = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                if "bundle" in kinds:
                    found.append(path.relative_to(ROOT).as_posix())
    assert sorted(set(found)) == ["components/runtime/manifest.py"]
