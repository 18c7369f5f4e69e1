"""The `lianzi` command as a person types it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli.main import COMMANDS, main


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


HEAVY = ("prefect", "mlflow", "dvc", "torch", "transformers")


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    listed = [line.split()[0] for line in lianzi("--help").output.partition("Commands:")[2].splitlines() if line]
    assert listed == list(COMMANDS)
    program = "import sys, cli.main; print([name for name in sys.modules if name.startswith(('cli.', 'pydantic'))])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "['cli.main']"


def test_no_commands_module_imports_a_heavy_library() -> None:
    """So that `lianzi predict` answers at once; each is imported where it is needed."""
    modules = sorted({place.partition(":")[0] for place, _ in COMMANDS.values()})
    program = f"import sys, {', '.join(modules)}; print(sorted({{*{HEAVY}}} & {{*sys.modules}}))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@pytest.mark.parametrize(("name", "rests"), [("status", True), ("run", True), ("serve", False)])
def test_the_collector_rests_in_commands_that_end_soon(name: str, rests: bool) -> None:
    program = f"import gc; from cli.main import main; main(['{name}', '--help'], standalone_mode=False)"
    told = subprocess.check_output([sys.executable, "-c", f"{program}; print(gc.isenabled())"], text=True)
    assert told.splitlines()[-1] == str(not rests)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str) -> None:
    told = lianzi(name, "--help")
    assert told.exit_code == 0
    assert f" {name} [OPTIONS]" in told.output
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.name, bool(command.help)) == (name, True)


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


@pytest.mark.parametrize(
    ("interrupted", "words", "told"),
    [
        ("cli.run.run_pipeline", ["run"], "interrupted; finished stages are kept, run again to go on\n"),
        ("cli.status.show_status", ["status"], "interrupted\n"),
    ],
)
def test_ctrl_c_tells_of_stages_where_there_are_some(
    interrupted: str, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(root)
    monkeypatch.setattr(interrupted, ctrl_c)
    done = lianzi(*words)
    assert (done.exit_code, done.output.endswith(told)) == (130, True)


def test_a_command_that_is_nearly_one_is_suggested() -> None:
    done = lianzi("predit", "form")
    assert done.exit_code == 2
    assert "No such command 'predit'; did you mean 'predict'?" in done.output
