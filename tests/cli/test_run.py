"""cli.run: what stands between a person and the flow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.run import example_text, next_steps, pages, run_pipeline
from components import tracking
from components.errors import DataError, ParameterError
from components.registry import Registry

LORA = "{name: lora, rank: 2, alpha: 4, dropout: 0.0, targets: [query_proj]}"


def test_missing_data_is_said_before_anything_starts(project: Path, root: Path) -> None:
    shutil.copy(root / "data.dvc", project)
    with pytest.raises(DataError, match="data/: missing\n`dvc pull data`"):
        run_pipeline(project, None)


def test_settings_that_a_run_refuses_leave_params_as_they_were(project: Path, root: Path) -> None:
    shutil.copy(root / "folders.yaml", project)
    graph = (project / "dvc.yaml").read_text(encoding="utf-8")
    (project / "dvc.yaml").write_text(graph.replace("bystander:", "finetune:"), encoding="utf-8")
    paths = [project / name for name in ("params.yaml", "folders.yaml")]
    before = [path.read_bytes() for path in paths]
    with pytest.raises(ParameterError, match=r"finetune\.adapter\.targets: a \w+ has no linear layer 'query_proj'"):
        run_pipeline(project, None, (f"finetune.adapter={LORA}",))
    with pytest.raises(ParameterError, match="nowhere"):
        run_pipeline(project, None, ("train_tokenizer.from=nowhere/at/all",))
    assert [path.read_bytes() for path in paths] == before


def test_a_prefect_server_that_is_not_there_is_a_line(project: Path) -> None:
    program = (
        "from pathlib import Path; from components.errors import ServiceError; from cli.run import run_pipeline\n"
        "try: run_pipeline(Path.cwd(), None)\nexcept ServiceError as error: print(error)"
    )
    environment = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert "Prefect (http://127.0.0.1:9/api) does not answer" in done.stdout, done.stderr


def test_what_to_do_next_names_what_is_there(root: Path) -> None:
    steps = next_steps(root)
    assert all("\n" not in step for step in steps)
    assert any(step.startswith("lianzi predict topic") for step in steps)
    assert all(any(str(path) in step for step in steps) for path in pages("topic"))


def test_a_model_that_was_refused_is_not_asked(here: Path, root: Path) -> None:
    shutil.copy(root / "params.yaml", here)
    client = tracking.connect()
    client.create_registered_model("topic")
    Registry().refuse("topic", int(client.create_model_version("topic", "nowhere").version), "below counting words")
    assert next_steps(here)[0].endswith("no model answers yet, topic was refused")


def test_the_example_is_a_row_of_the_persons_own_task(tmp_path: Path) -> None:
    assert example_text(tmp_path, "mood") == "some text"
    rows = tmp_path / "artifacts" / "tasks" / "mood" / "test.jsonl"
    rows.parent.mkdir(parents=True)
    texts = ["no", "It's a fine day\nto go out and see the harbour again.", "long " * 300]
    rows.write_text("".join(json.dumps({"text": text, "label": "a"}) + "\n" for text in texts))
    assert example_text(tmp_path, "mood") == "It's a fine day to go out and see the harbour again."
    rows.write_text(json.dumps({"text": "long " * 300, "label": "a"}) + "\n")
    assert example_text(tmp_path, "mood") == "long " * 11 + "long …"
