"""flows.releasing.registering: a bundle goes into the registry once, with what a clock said and a signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.registry import Registry
from components.runtime.signing import make_keys, verify_bundle
from flows import release
from tests.flows.test_release import released_project


@pytest.mark.slow
def test_with_a_key_a_release_signs_what_it_registers(
    project: Path, ladder: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path_factory.mktemp("keys") / "key"
    public = make_keys(key)
    monkeypatch.setenv("LIANZI_SIGNING_KEY", str(key))
    released_project(project, ladder)
    with tracking.pipeline_run("pipeline", {}) as run:
        version = release.release("places", project, run.id).version
    verify_bundle(Registry().bundle("places", version), public)
