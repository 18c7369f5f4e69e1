"""Rows that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ArtifactError
from flows.lineage.rows import trace_rows


def test_without_a_corpus_no_row_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="corpus: missing, so no row can be found"):
        trace_rows(tmp_path, "sea_en/d0")
