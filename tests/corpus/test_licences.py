from __future__ import annotations

from pathlib import Path

from components.corpus.licences import notices, source_licences
from components.params import SourceConfig


def test_every_source_has_its_licence_or_is_said_to_have_none_stated() -> None:
    sources = {name: SourceConfig(weight=1.0, language="en", licence="MIT") for name in ("poems", "unused")}
    assert source_licences(["poems", "notes"], sources) == {"notes": "unknown", "poems": "MIT"}


def test_what_the_project_says_of_its_data_goes_along(tmp_path: Path) -> None:
    assert notices(tmp_path) == []
    (tmp_path / "SOURCES.md").write_text("唐詩: MIT", encoding="utf-8")
    assert notices(tmp_path) == ["唐詩: MIT"]
