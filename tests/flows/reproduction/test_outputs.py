"""flows.reproduction.outputs: the first output that differs, and what of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from flows.reproduction.outputs import Output, Recorded, first_differing


def kept(cache: Path, content: bytes, suffix: str = "") -> str:
    """Put a content into a cache as DVC does; its hash."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    path = cache / "files" / "md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def folder(cache: Path, **files: bytes) -> str:
    listed = [{"md5": kept(cache, content), "relpath": f"{name}.txt"} for name, content in files.items()]
    return kept(cache, json.dumps(listed).encode(), ".dir")


def outs(**md5: str) -> dict[str, Any]:
    return {"outs": [{"path": path, "md5": one} for path, one in md5.items()]}


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "cache", lambda path: b'{"loss": 1}' if path == "metrics/a.json" else None)


def test_equal_hashes_are_equal_outputs(tmp_path: Path, recorded: Recorded) -> None:
    assert first_differing(tmp_path, outs(a="1"), outs(a="1"), recorded) is None


def test_an_output_that_was_not_made_is_told(tmp_path: Path, recorded: Recorded) -> None:
    assert first_differing(tmp_path, outs(a="1"), outs(), recorded) == Output("a", "not made this time")


def test_of_a_folder_the_first_differing_file_is_told(tmp_path: Path, recorded: Recorded) -> None:
    before = folder(tmp_path / "cache", one=b"same\n", two=b"old\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one.txt").write_bytes(b"same\n")
    (tmp_path / "out" / "two.txt").write_bytes(b"new\n")
    found = first_differing(tmp_path, outs(out=before), outs(out="other.dir"), recorded)
    assert found == Output("out/two.txt", "1 lines added, 1 removed, the first at line 1")


def test_a_committed_metrics_file_comes_behind_the_artifacts(tmp_path: Path, recorded: Recorded) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "a.json").write_text('{"loss": 2}')
    (tmp_path / "b.bin").write_bytes(b"b")
    before, now = {"metrics/a.json": "1", "b.bin": "2"}, {"metrics/a.json": "3", "b.bin": "2"}
    found = first_differing(tmp_path, outs(**before), outs(**now), recorded)
    assert found == Output("metrics/a.json", "loss 1 recorded, 2 now")
    found = first_differing(tmp_path, outs(**before), outs(**(now | {"b.bin": "4"})), recorded)
    assert found is not None
    assert found.path == "b.bin"


def test_of_a_training_the_first_step_that_differs_is_told_beside_its_weights(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "cache", lambda path: b"step,loss\n10,5.1\n20,4.2\n" if ".csv" in path else None)
    (tmp_path / "weights.bin").write_bytes(b"b")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "a.csv").write_text("step,loss\n10,5.1\n20,4.3\n")
    before, now = {"metrics/a.csv": "1", "weights.bin": "2"}, {"metrics/a.csv": "3", "weights.bin": "4"}
    found = first_differing(tmp_path, outs(**before), outs(**now), recorded)
    assert found is not None
    assert found.told().endswith("; curves: step 20: loss 4.2 recorded, 4.3 now")
