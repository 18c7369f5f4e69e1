"""The `lianzi` command as a person types it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli import main


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    assert all(command in lianzi("--help").output for command in ("run", "import", "status", "predict", "ui", "doctor"))
    program = "import sys, flows.cli; print(sorted({'prefect', 'mlflow', 'dvc', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "no Lianzi project here or above"),
        (("-C", "nowhere", "status"), "nowhere: no such folder"),
        (("run", "--parallel", "0"), "0 is not in the range"),
        (("rum",), "No such command 'rum'"),
    ],
)
def test_a_mistake_is_a_line_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = lianzi(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("number", ["0", "-1", "abc", "2.5"])
def test_a_number_of_stages_that_is_none_is_told_before_params_yaml_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    before = (project / "params.yaml").read_bytes()
    monkeypatch.setenv("LIANZI_PARALLEL", number)
    result = lianzi("run", "--set", "seed=7")
    assert result.exit_code == 2
    assert "LIANZI_PARALLEL" in result.output
    assert number in result.output
    assert (project / "params.yaml").read_bytes() == before


def test_an_unknown_task_names_the_nearest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    result = lianzi("predict", "topik", "some text")
    assert result.exit_code == 1
    assert "did you mean 'topic'?" in result.output


def test_a_run_without_data_says_how_to_get_it(project: Path, root: Path) -> None:
    shutil.copy(root / "data.dvc", project)
    result = lianzi("run")
    assert result.exit_code == 1
    assert "data/: missing" in result.output
    assert "dvc pull data" in result.output


def test_predict_before_any_release_says_what_to_do(project: Path) -> None:
    result = lianzi("predict", "topic", "some text")
    assert result.exit_code == 1
    assert "topic: no champion yet" in result.output


def test_status_lists_the_stages_and_why_they_are_stale(project: Path) -> None:
    result = lianzi("status")
    assert result.exit_code == 0, result.output
    assert "dependant" in result.output
    assert "stale" in result.output
    assert "topic: no champion yet" in result.output


def test_a_bundle_is_signed_and_verified_by_command(ladder: Any, tmp_path: Path) -> None:
    bundle, key = shutil.copytree(ladder.bundle, tmp_path / "bundle"), str(tmp_path / "key")
    assert lianzi("keygen", key).output.split() == [key, f"{key}.pub"]
    assert "not signed" in lianzi("verify", str(bundle), "--public-key", f"{key}.pub").output
    assert lianzi("sign", str(bundle), "--key", key).output.strip() == str(bundle / "manifest.sig")
    done = lianzi("verify", str(bundle), "--public-key", f"{key}.pub")
    assert (done.exit_code, done.output.strip()) == (0, f"{bundle}: signed, and every file as it was then")
    (bundle / "tokenizer.json").unlink()
    done = lianzi("verify", str(bundle), "--public-key", f"{key}.pub")
    assert (done.exit_code, "tokenizer.json: missing" in done.output) == (1, True)
    assert Path(key).read_text().splitlines()[1] not in done.output


def test_a_triton_repository_is_written_by_command(ladder: Any, tmp_path: Path) -> None:
    done = lianzi("triton", str(ladder.bundle), str(tmp_path / "models"), "--delay", "7")
    assert done.output.split() == [str(path) for path in map(Path, done.output.split()) if path.is_dir()]
    assert "max_queue_delay_microseconds: 7" in (tmp_path / "models/places_classifier/config.pbtxt").read_text()
    assert lianzi("triton", str(tmp_path), str(tmp_path / "more")).exit_code == 1
