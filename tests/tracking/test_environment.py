"""components.tracking.environment: the machine's class and the packages, and nothing that names the machine."""

from __future__ import annotations

import json
import socket
from importlib import metadata
from pathlib import Path

import pytest

from components.tracking.environment import environment, environment_text


def test_an_environment_has_the_processor_and_every_package_and_no_name_of_the_host() -> None:
    text = environment_text()
    found = json.loads(text)
    assert found["machine"]["processor"]
    assert found["packages"]["torch"] == metadata.version("torch")
    assert socket.gethostname() not in text


def test_what_a_broken_installation_has_left_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "~ne-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert None not in environment()["packages"]
