from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from components.inference.fingerprint import FINGERPRINT, Fingerprint, read_fingerprint

HERE = Fingerprint(
    runtime="tensorrt",
    version="11.4.0",
    device="NVIDIA Test",
    compute_capability="9.0",
    cuda="13.1",
    driver="580.65.06",
    profile="8 rows, 64 tokens",
    flags=(),
    onnx="a" * 64,
    file="b" * 64,
)
OTHER: dict[str, Any] = {
    "runtime": "tensorrt-rtx",
    "version": "11.3.0",
    "device": "NVIDIA Other",
    "compute_capability": "8.9",
    "cuda": "13.0",
    "driver": None,
    "profile": "8 rows, 128 tokens",
    "flags": ("refit",),
    "onnx": "c" * 64,
    "file": "d" * 64,
}


def written(mark: Fingerprint, folder: Path) -> dict[str, Any]:
    mark.write(folder)
    return read_fingerprint(folder)


def test_an_engine_fits_where_it_was_built(tmp_path: Path) -> None:
    assert HERE.differs(written(HERE, tmp_path)) == []
    assert HERE.differs(written(replace(HERE, flags=()), tmp_path)) == []


@pytest.mark.parametrize("field", OTHER)
def test_each_field_alone_is_reason_enough(field: str, tmp_path: Path) -> None:
    assert HERE.differs(written(replace(HERE, **{field: OTHER[field]}), tmp_path)) == [field]


def test_every_field_is_compared() -> None:
    assert set(OTHER) == set(asdict(HERE))


@pytest.mark.parametrize("field", OTHER)
def test_a_field_that_was_not_written_is_a_difference(field: str, tmp_path: Path) -> None:
    built = written(HERE, tmp_path)
    del built[field]
    assert HERE.differs(built) == [field]


def test_a_version_compatible_engine_loads_in_later_versions_only() -> None:
    here = replace(HERE, flags=("version_compatible",))
    for version, expected in (("11.3.0", []), ("11.5.0", ["version"])):
        built = json.loads(json.dumps(asdict(replace(here, version=version))))
        assert here.differs(built) == expected


def test_a_hardware_compatible_engine_loads_from_ampere_on() -> None:
    here = replace(HERE, flags=("hardware_compatible",))
    ampere = asdict(replace(here, device="NVIDIA Other", compute_capability="8.6")) | {"flags": list(here.flags)}
    assert here.differs(ampere) == []
    turing = replace(here, compute_capability="7.5")
    assert turing.differs(ampere) == ["device", "compute_capability"]


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_fingerprint_that_cannot_be_read_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / FINGERPRINT).write_text(content)
    assert read_fingerprint(tmp_path) == {}
    assert read_fingerprint(tmp_path / "nowhere") == {}


def test_differences_are_told_in_words() -> None:
    names = ["version", "compute_capability", "driver", "onnx", "flags"]
    assert HERE.told(names) == (
        "version 11.4.0, compute capability 9.0, driver 580.65.06, onnx aaaaaaaaaaaa, flags none"
    )
    assert HERE.told(["driver", "flags"], {"driver": None, "flags": ["refit"]}) == "driver none, flags refit"
