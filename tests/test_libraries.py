"""components.libraries: the versions in use beside those noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ParameterError
from components.libraries import check_libraries, differences, installed, noted


def test_a_local_build_counts_as_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.libraries.metadata.version", lambda name: "2.13.0+cu130")
    assert installed("torch") == "2.13.0"


def test_what_is_not_installed_has_no_version() -> None:
    assert installed("no-such-library") is None


def test_the_noted_versions_are_those_in_use(root: Path) -> None:
    assert differences(noted(root), noted(root)) == {}


def test_another_version_than_the_noted_one_is_refused_with_both(tmp_path: Path) -> None:
    assert noted(tmp_path) == {}
    (tmp_path / "libraries.yaml").write_text('torch: "1.0.0"\nnumpy: "0.1"\n')
    with pytest.raises(ParameterError, match=rf"^libraries.yaml: torch 1.0.0, installed is {installed('torch')}\n"):
        check_libraries(["torch"], noted(tmp_path))
    check_libraries(["pandas"], noted(tmp_path))
