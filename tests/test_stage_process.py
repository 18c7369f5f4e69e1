"""`python -m components`: what dvc.yaml calls, as it calls it."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.artifacts import digest
from components.corpus.curate import curate
from components.stage_process import main, write_curves
from flows.settings import change_params
from tests.preloaded import preloaded
from tests.small_store import copy_store

PLAIN = {"PYTHONPATH": str(Path(__file__).parent.parent)}
CURATE = [
    "curate",
    "--data",
    "data",
    "--removals",
    "removals.txt",
    "--corpus",
    "out/corpus",
    "--labelled",
    "out/tasks",
    "--report",
    "out/report",
    "--metrics",
    "m.json",
]


def start(
    words: list[str], folder: Path, environment: Mapping[str, str] = PLAIN, **options: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "components", *words],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def stage(words: list[str], folder: Path, **options: Any) -> tuple[int, str]:
    """Exit code and what went to standard error."""
    process = start(words, folder, **options)
    _, told = process.communicate(timeout=240)
    return process.returncode, told


@pytest.fixture
def project(tmp_path: Path, root: Path, mlflow_store: Path) -> Path:
    """A folder with the shipped params, an MLflow store's folder and a little data."""
    shutil.copy(root / "params.yaml", tmp_path)
    copy_store(mlflow_store, tmp_path)
    corpus = tmp_path / "data" / "corpus"
    corpus.mkdir(parents=True)
    rows = [{"text": f"Document number {n} tells of whales, ships and the sea, at some length."} for n in range(400)]
    (corpus / "sea_en.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for task, labels in (("topic", ("Arts", "History")), ("form", ("tang", "song"))):
        folder = tmp_path / "data" / "tasks" / task
        folder.mkdir(parents=True)
        for split in ("train", "validation", "test"):
            texts = [{"text": f"{task} {split} row {n}: some words to read", "label": labels[n % 2]} for n in range(8)]
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    return tmp_path


def test_a_stage_writes_its_outputs_and_metrics(project: Path) -> None:
    code, told = stage(CURATE, project)
    assert code == 0, told
    assert json.loads((project / "m.json").read_text())["documents"]["read"] == 400
    assert (project / "out/corpus/manifest.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no stage ''\nstages: curate"),
        (["curat"], "no stage 'curat'\nstages: curate"),
        (["finetune", "--task", "topik"], "required"),
    ],
)
def test_a_wrong_command_line_is_told(project: Path, words: list[str], told: str) -> None:
    code, said = stage(words, project)
    assert code != 0
    assert told in said
    assert "Traceback" not in said


def test_a_users_mistake_is_a_line_and_exit_code_1(project: Path) -> None:
    (project / "data/corpus/sea_en.jsonl").write_text('{"text": "good enough to be read by all"}\n{"text": \n')
    code, told = stage(CURATE, project)
    assert code == 1
    assert "sea_en.jsonl:2" in told
    assert "Traceback" not in told
    assert not (project / "out").exists() or not list((project / "out").iterdir())
    assert not (project / "m.json").exists()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(project: Path) -> None:
    """A limit on file sizes stands in for the full disk: the same write fails, with EFBIG for ENOSPC."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(60_000)]
    rows = [{"text": "It is of the sea: " + " ".join(chance.sample(words, 60))} for _ in range(12_000)]
    (project / "data/corpus/sea_en.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert stage(CURATE, project)[0] == 0

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))

    shutil.rmtree(project / "out")
    (project / "m.json").unlink()
    code, told = stage(CURATE, project, preexec_fn=limit)
    assert code == 1
    assert "file size limit" in told
    assert "Traceback" not in told
    assert not (project / "m.json").exists()
    assert not [path for path in (project / "out").rglob("*") if path.is_file()]


def test_sigterm_ends_the_stage_its_run_and_its_partial_output(project: Path) -> None:
    rows = [{"text": f"Document {n}: " + "words of the sea " * 30} for n in range(60_000)]
    (project / "data/corpus/sea_en.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = start(CURATE, project)
    deadline = time.monotonic() + 180
    while not list(project.glob("out/.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, told = process.communicate(timeout=180)
    assert process.returncode == 130, told
    assert "interrupted" in told
    assert not [path for path in (project / "out").rglob("*") if path.is_file()]


def later(key: str, value: str, project: Path) -> None:
    change_params(project / "params.yaml", (f"{key}={value}",))


EDITS: dict[str, Callable[[Path], object]] = {
    "params.yaml: curate.min_characters: 20 -> 30": partial(later, "curate.min_characters", "30"),
    "params.yaml: seed: 17 -> 18": partial(later, "seed", "18"),
    "data/corpus/sea_en.jsonl": lambda project: (project / "data/corpus/sea_en.jsonl").write_text('{"text": "a"}\n'),
    "data/corpus/more_en.jsonl is new": lambda project: (project / "data/corpus/more_en.jsonl").write_text(""),
    "removals.txt": lambda project: (project / "removals.txt").write_text("sea/1\n"),
    "components/corpus/read.py": lambda project: (project / "components/corpus/read.py").write_text("# other\n"),
    "libraries.yaml: numpy: ": lambda project: (project / "libraries.yaml").write_text(
        re.sub("numpy: .*", 'numpy: "1"', (project / "libraries.yaml").read_text())
    ),
}
OTHERS: dict[str, Callable[[Path], object]] = {
    "another stage's parameter": partial(later, "pretrain.learning_rate", "0.5"),
    "code that the stage does not import": lambda project: (project / "components/training/order.py").write_text("#\n"),
    "a file touched": lambda project: (project / "data/corpus/sea_en.jsonl").touch(),
}


@pytest.fixture
def edited(project: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], object]], int]:
    """Run `curate` in a project with code of its own while someone makes an edit; the exit code."""
    for name in ("dvc.yaml", "libraries.yaml"):
        shutil.copy(root / name, project)
    shutil.copytree(root / "components", project / "components", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "removals.txt").write_text("")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("components.declared.PROJECT", project)

    def run(edit: Callable[[Path], object]) -> int:
        @wraps(curate)
        def meanwhile(corpus: Path, labelled: Path, **_: object) -> dict[str, object]:
            for folder in (corpus, labelled):
                folder.mkdir(parents=True)
            edit(project)
            return {"documents": 1}

        monkeypatch.setattr("components.stage_process.stage_function", lambda _: meanwhile)
        return main(CURATE)

    return run


@pytest.mark.parametrize("told", EDITS)
def test_a_stage_whose_inputs_change_while_it_runs_fails_and_names_them(
    told: str,
    edited: Callable[[Callable[[Path], object]], int],
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert edited(EDITS[told]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: curate: changed while the stage ran: {told}")
    assert len(said.splitlines()) == 2
    assert not (project / "m.json").exists()
    assert not list((project / "out").iterdir())
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]


@pytest.mark.parametrize("what", OTHERS)
def test_an_edit_of_what_is_not_the_stages_lets_it_end(
    what: str, edited: Callable[[Callable[[Path], object]], int], project: Path
) -> None:
    assert edited(OTHERS[what]) == 0
    assert (project / "m.json").exists()
    assert (project / "out/corpus").is_dir()


def test_a_folder_that_params_yaml_names_and_dvc_was_not_told_of_is_refused(
    project: Path, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(root / "folders.yaml", project)
    (project / "models").mkdir()
    change_params(project / "params.yaml", ("train_tokenizer.from=models",))
    monkeypatch.chdir(project)
    names = ("corpus", "verdict", "tokenizer", "report", "metrics")
    assert main(["train_tokenizer", *(word for name in names for word in (f"--{name}", f"out/{name}"))]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "error: train_tokenizer: folders.yaml: train_tokenizer: artifacts/corpus, "
        "but train_tokenizer.from of params.yaml makes it models",
        "`lianzi run` notes it there, for DVC to see when it changes",
    ]


def test_a_stage_refuses_other_libraries_than_those_it_is_known_by(
    edited: Callable[[Callable[[Path], object]], int], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "libraries.yaml").write_text('numpy: "0.1"\n')
    assert edited(lambda _: None) == 1
    assert re.match(
        r"error: curate: libraries.yaml: numpy 0.1, installed is \S+\n`lianzi run` notes", capsys.readouterr().err
    )
    assert not (project / "out").exists()


def pretrain(name: str, tokens: Path, tokenizer: Path) -> list[str]:
    paths = ["--tokens", str(tokens), "--tokenizer", str(tokenizer), "--pretrained", f"out/{name}"]
    return ["pretrain", *paths, "--metrics", f"{name}.json", "--curves", f"{name}.csv"]


@pytest.mark.slow
def test_a_training_stopped_by_sigterm_is_carried_on_by_the_next_call(
    project: Path, tokens_folder: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("LIANZI_CACHE", raising=False)
    small = (
        "threads=1",
        "steps=200",
        "batch_size=4",
        "sequence_length=16",
        "validate_every=80",
        "validation_sequences=8",
    )
    change_params(project / "params.yaml", ("model.depth=1", "model.width=null", *(f"pretrain.{one}" for one in small)))
    code, told = stage(pretrain("whole", tokens_folder, tokenizer_folder), project, environment=preloaded())
    assert code == 0, told
    checkpoints = project / ".cache" / "checkpoints" / "pretrain"
    assert list(checkpoints.iterdir()) == []

    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    process = start(pretrain("parts", tokens_folder, tokenizer_folder), project, preloaded())
    deadline = time.monotonic() + 180
    while not list(checkpoints.glob("*/step-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, told = process.communicate(timeout=180)
    assert process.returncode == 130, told
    assert re.search(r"interrupted; checkpoint at step \d+; run again to go on from there", told)
    assert "Traceback" not in told
    assert not (project / "out" / "parts").exists()
    assert not (project / "parts.json").exists()

    monkeypatch.delenv("LIANZI_CHECKPOINT_SECONDS")
    code, told = stage(pretrain("parts", tokens_folder, tokenizer_folder), project, environment=preloaded())
    assert code == 0, told
    assert digest(project / "out" / "parts") == digest(project / "out" / "whole")
    for kind in ("json", "csv"):
        assert (project / f"parts.{kind}").read_bytes() == (project / f"whole.{kind}").read_bytes()
    assert list(checkpoints.iterdir()) == []

    monkeypatch.chdir(project)
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    histories = [
        [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "gradient_norm")]
        for run in runs
    ]
    assert len(histories[0]) == 100
    assert sorted(histories[0]) == sorted(histories[1])


def test_curves_hold_what_repeats_and_leave_out_what_does_not(tmp_path: Path) -> None:
    steps = [(1, {"loss": 2.0, "system/rate": 9.0}), (2, {"system/rate": 9.5}), (3, {"loss": 1.5, "perplexity": 4.0})]
    write_curves(tmp_path / "c.csv", steps)
    assert (tmp_path / "c.csv").read_text() == "step,loss,perplexity\n1,2,\n3,1.5,4\n"
