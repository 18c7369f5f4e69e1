from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import ladder_heads
from benchmarks.ladder_heads import head_ladder, main, ships_no_slower, show
from components.deployment.speed import Target
from tests.small_ladder import Ladder


def test_every_rung_stands_beside_fp32_with_its_loss_and_its_speed(
    ladder: Ladder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = head_ladder(ladder.bundle, ladder.rows, Target(1, 1.0, 3, 0.95))
    rungs = found["rungs"]
    assert (found["kind"], found["head"], found["metric"]) == ("classification", "sequence", "macro_f1")
    assert list(rungs) == ["fp32", "int8", "int8_static", "int4_embeddings"]
    assert (rungs["fp32"]["loss"], rungs["fp32"]["times_faster_batch_8"]) == (0, 1)
    assert found["shipped"] not in found["refused"]
    show({"small/places": found})
    assert "int4_embeddings" in capsys.readouterr().out


@pytest.mark.parametrize(("shipped", "fine"), [("fp32", True), ("int8", False), ("int8_static", True)])
def test_a_rung_that_is_slower_than_fp32_must_not_ship(shipped: str, fine: bool) -> None:
    times = {"fp32": 1.0, "int8": 0.9, "int8_static": 1.5}
    rungs = {name: {"times_faster_batch_1": value} for name, value in times.items()}
    assert ships_no_slower({"shipped": shipped, "rungs": rungs}) == fine


def test_the_heads_of_other_projects_stay_in_the_record(
    ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_heads, "RESULTS", tmp_path)
    earlier = {"faq/faq": {"shipped": "int8"}, "small/gone": {"shipped": "fp32"}, "smaller/places": {"shipped": "fp32"}}
    (tmp_path / "ladder_heads.json").write_text(json.dumps({"heads": earlier}), encoding="utf-8")
    artifacts = tmp_path / "small" / "artifacts"
    for name, folder in {"places/bundle": ladder.bundle, "tasks/places": ladder.rows}.items():
        (artifacts / name).parent.mkdir(parents=True)
        (artifacts / name).symlink_to(folder)
    main([str(tmp_path / "small"), "--rounds", "5"])
    heads = json.loads((tmp_path / "ladder_heads.json").read_text(encoding="utf-8"))["heads"]
    assert set(heads) == {"faq/faq", "small/places", "smaller/places"}
    assert heads["faq/faq"] == earlier["faq/faq"]
    assert heads["small/places"]["rounds"] == 5
