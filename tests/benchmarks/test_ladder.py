from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ladder import GOALS, classifier, show
from components.params import Params
from tests.small_ladder import Ladder


def test_every_rung_stands_in_the_table_against_the_teacher(
    ladder: Ladder, params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("teacher", "student", "bundle"):
        (tmp_path / "places").mkdir(exist_ok=True)
        (tmp_path / "places" / name).symlink_to(getattr(ladder, name))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "places").symlink_to(ladder.rows)
    found = classifier(tmp_path, "places", params, rounds=3)
    rungs = found["rungs"]
    assert list(rungs)[:6] == ["teacher", "student", "fp32", "int8", "int8_static", "int4_embeddings"]
    assert rungs["teacher"]["agreement"] == rungs["teacher"]["times_faster_batch_1"] == 1
    assert rungs["int4_embeddings"]["times_smaller"] > rungs["int8"]["times_smaller"] > 1.5
    assert all(rung["macro_f1"] > 0.7 for rung in rungs.values())
    assert set(found["goals"]) == set(GOALS)
    assert found["shipped"] not in found["refused"]
    show("places", found)
    told = capsys.readouterr().out
    assert all(rung in told for rung in rungs)
    assert f"ships {found['shipped']}: times_faster_batch_1" in told
