"""cli.doctor on this very machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import doctor


def test_it_says_what_is_there_and_what_that_means(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show_report(root)
    told = capsys.readouterr().out
    assert all(word in told for word in ("Python", "processor", "GPU", "TensorRT", "disk", "data", "MLflow"))


def test_missing_sample_data_is_told_and_no_error(tmp_path: Path) -> None:
    finding = doctor.data(tmp_path)
    assert finding.well
    assert "no data/corpus yet" in finding.found
    assert "dvc pull" in finding.meaning


def test_the_processors_flags_are_read_where_linux_lists_them() -> None:
    flags = doctor.cpu_flags()
    assert not Path("/proc/cpuinfo").exists() or flags
