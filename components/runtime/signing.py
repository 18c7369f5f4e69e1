"""Who made a bundle: an Ed25519 signature (RFC 8032) over manifest.json, which holds the hash of every other file.

manifest.sig is the bare signature, keys are PEM, so that others can check it without this package:
`openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in manifest.json -sigfile manifest.sig`.
What a release puts beside the manifest has a signature of its own, over the manifest and that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import MANIFEST, every_file, real_file
from components.errors import ArtifactError, ParameterError
from components.runtime.manifest import SIGNATURE, SPEED_FILE, SPEED_SIGNATURE, whole_bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

BESIDE = {SPEED_FILE: SPEED_SIGNATURE}
"""Files that no manifest lists, and their signatures: what was measured where a bundle was released."""
FROM_ELSEWHERE = "take the bundle again from where it came"


def make_keys(private: Path) -> Path:
    """Write a new private key, readable by its owner alone, and beside it NAME.pub, which is returned."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    public, key = private.with_name(f"{private.name}.pub"), Ed25519PrivateKey.generate()
    for path in (private, public):
        if path.exists():
            raise ParameterError(f"{path}: there is such a file already", "another name makes another key")
    private.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def sign_bundle(bundle: Path, private: Path) -> Path:
    """Write manifest.sig, after checking that the bundle is what its manifest says. Raises ArtifactError."""
    key = _private_key(private)
    _check_files(bundle)
    path = bundle / SIGNATURE
    manifest = (bundle / MANIFEST).read_bytes()
    _write(path, key.sign(manifest))
    for name, signature in BESIDE.items():
        if (bundle / name).is_file():
            _write(bundle / signature, key.sign(manifest + (bundle / name).read_bytes()))
        else:
            (bundle / signature).unlink(missing_ok=True)
    return path


def verify_bundle(bundle: Path, public: Path) -> None:
    """Raises ArtifactError, naming the file, unless each file is as its signer left it and nothing was added."""
    check_signature(bundle, public_key(public), public)
    _check_files(bundle)


def check_signature(bundle: Path, key: Ed25519PublicKey, told: Path) -> None:
    """Check the signatures alone; `told`: the file that the key came from. Raises ArtifactError."""
    if not (bundle / MANIFEST).is_file():
        raise ArtifactError(f"{bundle}: no bundle here")
    manifest = (bundle / MANIFEST).read_bytes()
    _check_one(bundle, MANIFEST, SIGNATURE, manifest, key, told)
    for name, signature in BESIDE.items():
        if (bundle / name).exists():
            _check_one(bundle, name, signature, manifest + (bundle / name).read_bytes(), key, told)
        elif (bundle / signature).exists():
            raise ArtifactError(f"{bundle / name}: missing", FROM_ELSEWHERE)


def _check_one(bundle: Path, name: str, signature: str, signed: bytes, key: Ed25519PublicKey, told: Path) -> None:
    from cryptography.exceptions import InvalidSignature

    if not (bundle / signature).is_file():
        raise ArtifactError(f"{bundle / name}: not signed ({signature} is missing)", "`lianzi sign` signs a bundle")
    try:
        key.verify((bundle / signature).read_bytes(), signed)
    except InvalidSignature:
        raise ArtifactError(
            f"{bundle / name}: changed since it was signed, or signed with another key than {told}", FROM_ELSEWHERE
        ) from None


def public_key(path: Path) -> Ed25519PublicKey:
    """Raises ParameterError for what is no Ed25519 public key in PEM form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read_key(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ParameterError(f"{path}: not an Ed25519 public key in PEM form", "`lianzi keygen` writes one, NAME.pub")
    return key


def _private_key(path: Path) -> Ed25519PrivateKey:
    """Errors never quote the file: it may hold a key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read_key(path)
    if path.stat().st_mode & 0o077:
        raise ParameterError(f"{path}: others than its owner may read this key", f"chmod 600 {path}")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise ParameterError(f"{path}: this key has a password", "`lianzi sign` takes a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ParameterError(f"{path}: not an Ed25519 private key in PEM form", "`lianzi keygen` makes one")
    return key


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None


def _check_files(bundle: Path) -> None:
    """Each file against its hash, and none beside them. Raises ArtifactError."""
    listed = {*whole_bundle(bundle)["files"], MANIFEST, SIGNATURE, *BESIDE, *BESIDE.values()}
    for name in every_file(bundle):
        if name not in listed:
            raise ArtifactError(f"{bundle / name}: not listed in {MANIFEST}", FROM_ELSEWHERE)
        real_file(bundle, name)


def _write(path: Path, signature: bytes) -> None:
    """Whole or not at all. Raises ArtifactError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(signature)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}", "check the folder's owner") from None
