"""lianzi keygen, sign and verify, as a person types them."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from cli.main import main
from tests.small_ladder import Ladder


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_bundle_is_signed_and_verified_by_command(ladder: Ladder, tmp_path: Path) -> None:
    bundle, key = shutil.copytree(ladder.bundle, tmp_path / "bundle"), str(tmp_path / "key")
    assert lianzi("keygen", key).output.split() == [key, f"{key}.pub"]
    assert "not signed" in lianzi("verify", str(bundle), "--public-key", f"{key}.pub").output
    assert lianzi("sign", str(bundle), "--key", key).output.strip() == str(bundle / "manifest.sig")
    done = lianzi("verify", str(bundle), "--public-key", f"{key}.pub")
    assert (done.exit_code, done.output.strip()) == (0, f"{bundle}: signed, and every file as it was then")
    (bundle / "tokenizer.json").unlink()
    done = lianzi("verify", str(bundle), "--public-key", f"{key}.pub")
    assert (done.exit_code, "tokenizer.json: missing" in done.output) == (1, True)
    assert Path(key).read_text().splitlines()[1] not in done.output
