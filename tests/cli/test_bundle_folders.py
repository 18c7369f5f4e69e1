"""The commands that read a bundle from a folder: each says what is wrong with it in one or two lines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cli.main import main
from components.artifacts import MANIFEST
from components.runtime.signing import SIGNATURE, make_keys
from components.serving import server
from tests.small_bundles import CLASSIFIER, GENERATOR, MALFORMED, bundle, rewrite


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    "words",
    [
        ("bundle", "nowhere", "made"),
        ("generate", "nowhere", "Once"),
        ("triton", "nowhere", "repository"),
        ("sign", "nowhere", "--key", "no.key"),
        ("verify", "nowhere", "--public-key", "no.key.pub"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_not_there_is_named_in_two_lines_at_most(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(*words)
    assert told.exit_code == 1
    assert "nowhere" in told.output or "no.key" in told.output
    assert len(told.output.splitlines()) <= 2
    assert not list(tmp_path.iterdir())


def test_no_answer_makes_a_bundle_run_the_models_own_code(tmp_path: Path) -> None:
    model, marker = tmp_path / "model", tmp_path / "was run"
    model.mkdir()
    (model / "own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    (model / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}')
    for file in ("model.safetensors", "tokenizer.json"):
        (model / file).touch()
    (tmp_path / "rows.txt").write_text("a text\n")
    words = ["bundle", str(model), str(tmp_path / "made"), "--rows", str(tmp_path / "rows.txt")]
    told = CliRunner().invoke(main, words, input="y\n" * 20)
    assert (told.exit_code, marker.exists(), (tmp_path / "made").exists()) == (1, False, False)
    first, second = told.output.splitlines()
    assert first.endswith("config.json names code of its own (auto_map: own.OwnConfig), which is never run")
    assert second == "give a model whose architecture and tokenizer transformers has itself"


READERS = {
    "generate": ("generate", "bundle", "Once"),
    "serve": ("serve", "./bundle"),
    "serve with a key": ("serve", "./bundle", "--public-key", "key.pub"),
    "speed": ("speed", "bundle"),
    "triton": ("triton", "bundle", "models/repository"),
    "build": ("build", "bundle", "--engine", "onnxruntime"),
    "sign": ("sign", "bundle", "--key", "key"),
    "verify": ("verify", "bundle", "--public-key", "key.pub"),
}
"""Every command that reads a bundle from a folder."""


@pytest.fixture
def here(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a key to sign with, where no server gets to start."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    make_keys(tmp_path / "key")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "run_server", lambda *_: pytest.fail("the server started"))
    return tmp_path


def signed(folder: Path, private: Path) -> None:
    """As one signs who does not care what the manifest says."""
    key = load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    (folder / SIGNATURE).write_bytes(key.sign((folder / MANIFEST).read_bytes()))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", READERS)
def test_no_command_believes_a_malformed_manifest(command: str, here: Path) -> None:
    for case, (details, changes) in MALFORMED.items():
        shutil.rmtree(here / "bundle", ignore_errors=True)
        signed(rewrite(bundle(here / "bundle", details), **changes), here / "key")
        before = contents(here)
        told = call(*READERS[command])
        assert told.exit_code == 1, f"{case}: {told.output}"
        assert isinstance(told.exception, SystemExit), f"{case}: {told.exception!r}"
        assert told.output.startswith("error: "), f"{case}: {told.output}"
        assert len(told.output.splitlines()) <= 2, f"{case}: {told.output}"
        assert contents(here) == before, case
    assert not (here / "models").exists()


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("details", [CLASSIFIER, GENERATOR], ids=["classifier", "generator"])
def test_a_graph_that_is_none_is_told_in_two_lines(command: str, details: dict[str, object], here: Path) -> None:
    """The manifest is right; the files it lists hold two braces."""
    signed(bundle(here / "bundle", details), here / "key")
    told = call(*READERS[command])
    assert isinstance(told.exception, SystemExit | None), repr(told.exception)
    assert len(told.output.splitlines()) <= 2, told.output
    assert (told.exit_code == 0) == (command in ("sign", "verify"))
    assert not (here / "models").exists()


def test_a_signature_is_never_written_through_a_link(here: Path) -> None:
    (here / "precious").write_text("mine")
    (bundle(here / "bundle", CLASSIFIER) / SIGNATURE).symlink_to(here / "precious")
    told = call("sign", "bundle", "--key", "key")
    assert told.exit_code == 1
    assert "a link to elsewhere" in told.output
    assert (here / "precious").read_text() == "mine"
