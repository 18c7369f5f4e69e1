"""`lianzi keygen`, `lianzi sign`, `lianzi verify`: the author of a bundle, and whether it was changed since."""

from __future__ import annotations

from pathlib import Path

import click

PUBLIC_KEY = "LIANZI_PUBLIC_KEY"
"""The environment variable with the path of the key."""


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keygen(file: Path) -> None:
    """Make a key to sign bundles with: FILE, which only you can read, and FILE.pub, for everyone."""
    from components.runtime.signing import make_keys

    click.echo(f"{file}\n{make_keys(file)}")


@click.command("sign")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The private key, of `lianzi keygen`.")
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE: write manifest.sig into it."""
    from components.runtime.signing import sign_bundle

    click.echo(sign_bundle(bundle, key))


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--public-key", required=True, envvar=PUBLIC_KEY, type=click.Path(path_type=Path))
def verify(bundle: Path, public_key: Path) -> None:
    """Check that every file of BUNDLE is as it was when it was signed."""
    from components.runtime.signing import verify_bundle

    verify_bundle(bundle, public_key)
    click.echo(f"{bundle}: signed, and every file as it was then")
