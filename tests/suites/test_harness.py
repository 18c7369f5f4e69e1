"""components.suites.harness: lm-eval scores a decoder on a task of one's own, without the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import ServiceError
from components.suites.harness import HarnessScore, answers_folder, harness_python, read_scores, run_tasks, told
from tests.small_checkpoints import small_checkpoint

TASK = """task: own_sea
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list: [{{metric: acc}}]
"""


def test_metrics_are_read_with_their_errors() -> None:
    content = {"results": {"own": {"alias": "own", "acc,none": 0.5, "acc_stderr,none": 0.1, "em,strict": 1.0}}}
    scores = read_scores(content)
    assert scores == [HarnessScore("own", "acc", 0.5, 0.1), HarnessScore("own", "em_strict", 1.0, None)]
    assert told(scores) == ["own acc 0.500 ± 0.100", "own em_strict 1.000"]


def test_answers_of_another_checkpoint_are_kept_elsewhere(tmp_path: Path) -> None:
    for owner, weights in (("a", "1"), ("b", "2"), ("c", "1")):
        (tmp_path / owner / "model").mkdir(parents=True)
        (tmp_path / owner / "model" / "model.safetensors").write_text(weights)
    a, b, c = (answers_folder(tmp_path, "model", str(tmp_path / owner / "model")) for owner in "abc")
    assert a == c != b
    hub = answers_folder(tmp_path, "model", f"owner/model@{'0' * 40}")
    assert hub != answers_folder(tmp_path, "model", f"owner/model@{'1' * 40}")


@pytest.mark.slow
@pytest.mark.minutes
def test_a_decoder_is_scored_on_a_task_of_ones_own(
    tmp_path: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rows = [{"question": f"sea {n}:", "choices": ["ship", "wheat"], "label": n % 2} for n in range(4)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "own_sea.yaml").write_text(TASK.format(rows=tmp_path / "rows.jsonl"))
    model = small_checkpoint("gpt2", tokenizer_folder, tmp_path / "gpt2")
    python = harness_python()
    scores = run_tasks(python, "own_sea", str(model), tmp_path / "tasks", tmp_path / "out", print)
    assert [(one.task, one.metric) for one in scores] == [("own_sea", "acc")]
    assert scores[0].value in (0.0, 0.25, 0.5, 0.75, 1.0)
    with pytest.raises(ServiceError, match="lm-eval nowhere: "):
        run_tasks(python, "nowhere", str(model), None, tmp_path / "out", print)
