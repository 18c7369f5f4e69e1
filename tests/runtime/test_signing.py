from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from components.artifacts import MANIFEST, digest, read_manifest, write_json
from components.errors import ArtifactError, LianziError, ParameterError
from components.runtime.signing import SIGNATURE, make_keys, sign_bundle, verify_bundle
from tests.small_ladder import Ladder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_keys(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def public(key: Path) -> Path:
    return key.with_name("key.pub")


@pytest.fixture
def signed(ladder: Ladder, tmp_path: Path, key: Path) -> Path:
    shutil.copytree(ladder.bundle, tmp_path / "bundle")
    sign_bundle(tmp_path / "bundle", key)
    return tmp_path / "bundle"


def test_a_signed_bundle_verifies_and_keeps_its_digest(signed: Path, public: Path, ladder: Ladder) -> None:
    verify_bundle(signed, public)
    assert digest(signed) == digest(ladder.bundle)
    assert (signed / SIGNATURE).stat().st_size == 64


def test_signing_twice_gives_the_same_bytes(signed: Path, key: Path) -> None:
    before = (signed / SIGNATURE).read_bytes()
    assert sign_bundle(signed, key).read_bytes() == before


def change(name: str) -> Callable[[Path], None]:
    def act(bundle: Path) -> None:
        content = bytearray((bundle / name).read_bytes())
        content[len(content) // 2] ^= 1
        (bundle / name).write_bytes(content)

    return act


def remove(name: str) -> Callable[[Path], None]:
    return lambda bundle: (bundle / name).unlink()


def add_program(bundle: Path) -> None:
    (bundle / "models" / "plugin.so").write_bytes(b"\x7fELF")
    (bundle / "models" / "plugin.so").chmod(0o755)


def add_link(bundle: Path) -> None:
    (bundle / "models" / "more").symlink_to("/", target_is_directory=True)


def rewrite_manifest(bundle: Path) -> None:
    """What someone does who changes a file and its hash."""
    write_json(bundle / MANIFEST, read_manifest(bundle, "bundle") | {"labels": ["x", "y", "z"]})


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (change("models/int8/model.onnx"), "models/int8/model.onnx: changed since it was made"),
        (change("models/fp32/model.onnx"), "models/fp32/model.onnx: changed since it was made"),
        (change("tokenizer.json"), "tokenizer.json: changed since it was made"),
        (change("README.md"), "README.md: changed since it was made"),
        (change(MANIFEST), "manifest.json: changed since it was signed, or signed with another key than"),
        (rewrite_manifest, "manifest.json: changed since it was signed, or signed with another key than"),
        (change(SIGNATURE), "manifest.json: changed since it was signed, or signed with another key than"),
        (remove("tokenizer.json"), "tokenizer.json: missing"),
        (remove(MANIFEST), "no bundle here"),
        (remove(SIGNATURE), r"not signed \(manifest.sig is missing\)"),
        (add_program, "models/plugin.so: not listed in manifest.json"),
        (add_link, "models/more: not listed in manifest.json"),
    ],
)
def test_whatever_was_changed_added_or_removed_is_refused_by_name(
    signed: Path, public: Path, act: Callable[[Path], None], told: str
) -> None:
    act(signed)
    with pytest.raises(ArtifactError, match=told):
        verify_bundle(signed, public)


def test_what_a_release_puts_beside_the_manifest_is_signed_with_it(signed: Path, key: Path, public: Path) -> None:
    """It says which rung is shipped, so it must neither be slipped in nor taken from another bundle."""
    (signed / "speed.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"speed\.json: not signed"):
        verify_bundle(signed, public)
    sign_bundle(signed, key)
    verify_bundle(signed, public)
    change("speed.json")(signed)
    with pytest.raises(ArtifactError, match=r"speed\.json: changed since it was signed"):
        verify_bundle(signed, public)
    remove("speed.json")(signed)
    with pytest.raises(ArtifactError, match=r"speed\.json: missing"):
        verify_bundle(signed, public)


def test_a_signature_of_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    other = make_keys(tmp_path / "other")
    with pytest.raises(ArtifactError, match=r"signed with another key than .*other.pub"):
        verify_bundle(signed, other)


def test_a_damaged_bundle_is_not_signed(ladder: Ladder, tmp_path: Path, key: Path) -> None:
    for number, act in enumerate((change("tokenizer.json"), add_program)):
        bundle = tmp_path / f"bundle{number}"
        shutil.copytree(ladder.bundle, bundle)
        act(bundle)
        with pytest.raises(ArtifactError):
            sign_bundle(bundle, key)
        assert not (bundle / SIGNATURE).exists()


def test_a_private_key_is_its_owners_and_never_written_over(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    with pytest.raises(ParameterError, match="there is such a file already"):
        make_keys(key)
    assert key.read_bytes() == before


def test_a_key_that_others_may_read_is_refused(ladder: Ladder, key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(ParameterError, match="others than its owner may read this key") as refused:
        sign_bundle(ladder.bundle, key)
    assert "chmod 600" in refused.value.hint


def other_kind(path: Path) -> None:
    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def public_instead(path: Path) -> None:
    path.write_bytes(path.with_name("key.pub").read_bytes())


@pytest.mark.parametrize("spoil", [other_kind, public_instead, lambda path: path.write_text("secret words")])
def test_what_is_no_private_key_is_refused_and_not_quoted(
    ladder: Ladder, key: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(key)
    with pytest.raises(ParameterError, match="not an Ed25519 private key") as refused:
        sign_bundle(ladder.bundle, key)
    assert "secret" not in str(refused.value)
    assert "BEGIN" not in str(refused.value)


def test_what_is_no_public_key_is_refused(signed: Path, key: Path, tmp_path: Path) -> None:
    (tmp_path / "ec.pub").write_bytes(
        generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for path in (key, tmp_path / "ec.pub", tmp_path / "none.pub", tmp_path):
        with pytest.raises(LianziError, match=str(path)):
            verify_bundle(signed, path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_openssl_agrees(signed: Path, public: Path) -> None:
    """By the command that docs/serving.md shows."""
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin"]
    words += ["-in", signed / MANIFEST, "-sigfile", signed / SIGNATURE]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    change(MANIFEST)(signed)
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
