"""benchmarks.labels: what is compared, over seeds and rows, and that a finished piece is not measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import labels
from benchmarks.labels import SYSTEMS, Piece, compared
from components.deployment.rows import Rows
from components.params import Params
from tests.small_tuning import pretrained_folder

ACTUAL = np.arange(300) % 3
SMALL = {"epochs": 2, "batch_size": 8, "min_steps": 20, "threads": 1}


def answered(*wrong: float) -> dict[str, np.ndarray]:
    """Of each system the answers, of which so large a share is wrong."""
    return {
        name: np.where(np.arange(300) < share * 300, (ACTUAL + 1) % 3, ACTUAL)
        for name, share in zip(SYSTEMS, wrong, strict=True)
    }


def test_seeds_have_a_mean_and_a_spread_and_a_gain_its_interval(params: Params) -> None:
    test = Rows(["a text"] * 300, ACTUAL)
    found = compared(test, {17: answered(0.3, 0.5, 0.1, 0.2), 18: answered(0.3, 0.4, 0.1, 0.1)}, params)
    assert found["systems"]["counting_words"]["accuracy"] == {"mean": 0.7, "sd": 0.0, "every": [0.7, 0.7]}
    assert found["systems"]["shipped"]["accuracy"]["mean"] == pytest.approx(0.85)
    gain = found["shipped_over"]["counting_words"]["accuracy"]
    assert gain["value"] == pytest.approx(0.15)
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    assert found["shipped_over"]["teacher"]["macro_f1"]["value"] < 0


def test_two_seeds_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        labels.main(["--seeds", "17", "--shares", "1.0"])
    assert "a spread needs two seeds" in capsys.readouterr().err


@pytest.mark.slow
def test_a_piece_is_measured_by_the_stages_own_code_and_once(
    params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "CACHE", tmp_path / "cache")
    (tmp_path / "artifacts" / "tasks").mkdir(parents=True)
    (tmp_path / "artifacts" / "tasks" / "places").symlink_to(task_rows)
    pretrained_folder(tmp_path / "artifacts" / "pretrained", tokenizer_folder)
    changed = {name: getattr(params, name).model_copy(update=SMALL) for name in ("finetune", "distill")}
    task: dict[str, Any] = {"places": params.tasks["topic"].model_copy(update={"max_length": 16})}
    piece = Piece(params.model_copy(update={**changed, "tasks": task}), tmp_path / "artifacts", "places", 0.5, 17)
    found = piece.answers()
    assert set(found) == set(SYSTEMS)
    assert {len(answer) for answer in found.values()} == {60}
    assert [path.name for path in piece.folder.iterdir()] == ["answers.json"]
    monkeypatch.setattr(Piece, "_measured", None)
    again = piece.answers()
    assert all(np.array_equal(again[name], answer) for name, answer in found.items())
