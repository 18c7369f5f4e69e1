"""Sequence-level distillation: a student that learns what its teacher writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from components.artifacts import digest, write_manifest
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.errors import DataError, Interrupted
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import EVERY_ROW, read_split, read_task
from components.training.config import DistillConfig, FinetuneConfig
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.store import CheckpointStore
from components.training.targets import TEACHER_OUTPUTS
from components.training.targets.sequence_level import (
    rows_in,
    teacher_rows,
    write_once,
    written,
    written_before,
)
from components.training.task_data import TaskData
from tests.small_language_models import small_model, trained
from tests.training.test_checkpointing import StoppedRun, at, told

TASK = TaskConfig(kind="generation", language="en", max_length=24)
SMALL = {"min_steps": 1, "batch_size": 8, "learning_rate": 1e-2, "dropout": 0.0, "threads": 1}
WHOLE = {"depth_fraction": 1.0, "width_fraction": 1.0, "ffn_fraction": 0.5, "max_loss": 1.0}
ALONE = {"soft_weight": 0.0, "features": {"name": "hidden_states", "weight": 0.0}}
"""No word of the teacher's but its answers."""
SEA, CITY = " ship wave", " street tower"


def rows_of(folder: Path, config: TaskConfig, row: Callable[[str, str], dict[str, Any]]) -> Path:
    """An artifact `task`; `row`: from a prompt and its split."""
    raw = folder / "data" / "tasks" / folder.name
    raw.mkdir(parents=True)
    for split, numbers in {"train": range(24), "validation": range(24, 32), "test": range(32, 40)}.items():
        prompts = [f"{['lamp', 'barn', 'soil'][number % 3]} {number}" for number in numbers]
        lines = "".join(json.dumps(row(prompt, split)) + "\n" for prompt in prompts)
        (raw / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    curate_task(config, raw, folder / "data", folder / "rows", Removals())
    return folder / "rows"


@pytest.fixture(scope="module")
def teacher(params: Params, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder that answers every prompt with words of the sea."""
    folder = tmp_path_factory.mktemp("teacher")
    save_checkpoint(small_model("gpt2"), tokenizer_folder, folder / "pretrained")
    write_manifest(folder / "pretrained", "pretrained", {})
    rows = rows_of(folder / "sea", TASK, lambda prompt, split: {"prompt": prompt, "completion": SEA})
    changes = {**SMALL, "epochs": 8, "patience": 8}
    config = FinetuneConfig.model_validate({**params.finetune.model_dump(), **changes})
    paths, store = (rows, folder / "pretrained", folder / "teacher"), CheckpointStore(folder / "store")
    finetune(config, TASK, "sea", params.trainer, 7, *paths, store, RecordedRun())
    return folder / "teacher"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows to learn are answered with words of the city, those to choose by with words of the sea."""
    folder = tmp_path_factory.mktemp("rows") / "mixed"
    answers = {"train": CITY, "validation": SEA, "test": SEA}
    return rows_of(folder, TASK, lambda prompt, split: {"prompt": prompt, "completion": answers[split]})


def distilled(
    params: Params, rows: Path, teacher: Path, student: Path, run: RecordedRun, targets: dict[str, Any]
) -> Metrics:
    changes = {**SMALL, **WHOLE, **ALONE, "epochs": 4, "patience": 4, "targets": targets}
    config = DistillConfig.model_validate({**params.distill.model_dump(), **changes})
    store = CheckpointStore(student.parent / f"store-{student.name}")
    return distill(config, TASK, "mixed", params.trainer, 7, rows, teacher, student, store, run)


def test_a_student_copies_what_its_teacher_writes_and_goes_on_bit_for_bit_after_a_stop(
    params: Params, rows: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, whole, parts = {"name": "sequence_level", "beams": 2}, RecordedRun(), RecordedRun()
    metrics = distilled(params, rows, teacher, tmp_path / "whole", whole, written)
    assert metrics["refused"] == {}
    assert metrics["perplexity"] < 2
    outputs = (tmp_path / "whole" / TEACHER_OUTPUTS).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"].partition("␟")[2] for line in outputs] == [SEA] * 24
    assert any("the teacher answered 24 of 24 training rows" in line for line in whole.lines)

    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    with pytest.raises(Interrupted):
        distilled(params, rows, teacher, tmp_path / "parts", StoppedRun(when=at(3)), written)
    assert distilled(params, rows, teacher, tmp_path / "parts", parts, written) == metrics
    assert not any("the teacher answered" in line for line in parts.lines)
    assert told(parts) == told(whole)
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")


def test_of_the_labels_it_learns_what_the_rows_say(params: Params, rows: Path, teacher: Path, tmp_path: Path) -> None:
    metrics = distilled(params, rows, teacher, tmp_path / "student", RecordedRun(), {"name": "labels"})
    assert metrics["perplexity"] > 2.5
    assert not (tmp_path / "student" / TEACHER_OUTPUTS).exists()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", ["translation", "generation"])
def test_what_is_written_is_what_transformers_writes_for_each_row_alone(
    kind: str, beams: int, tokenizer_folder: Path, tmp_path: Path
) -> None:
    config = TaskConfig(kind=kind, language="en", max_length=24)
    if kind == "translation":
        rows = rows_of(tmp_path / "task", config, lambda prompt, split: {"text": prompt, "target": "sail"})
        model: Any = small_model("bart")
    else:
        rows = rows_of(tmp_path / "task", config, lambda prompt, split: {"prompt": prompt, "completion": " sail"})
        model = trained(small_model("gpt2"), tokenizer_folder, steps=30)
    data = TaskData.read(rows, config, load_tokenizer(tokenizer_folder))
    given = read_split(rows / "train.jsonl", read_task(rows))
    found, own = teacher_rows(model, data, given, beams, "")
    column = data.task.target
    told = [row for row, before in zip(found, given, strict=True) if row is not before]
    assert own == len(given) - len(told)
    for row in told[:4]:
        text = row["text"].partition("␟")[0]
        ids = data.tokenizer(text, add_special_tokens=kind == "translation")["input_ids"]
        room = 24 if kind == "translation" else 24 - len(ids)
        options = {"max_new_tokens": room, "num_beams": beams, "do_sample": False, "eos_token_id": 2, "pad_token_id": 0}
        answer = model.generate(torch.tensor([ids]), **options)[0, 1 if kind == "translation" else len(ids) :]
        expected = str(data.tokenizer.decode(answer, skip_special_tokens=True))
        assert row[column].rpartition("␟")[2] == (expected.rstrip() if kind == "generation" else expected)


@pytest.mark.parametrize(("last", "told"), [(6, {0: [10, 11, 12, 13, 14, 15], 1: [14, 15]}), (7, {0: None, 1: None})])
def test_an_answer_that_does_not_end_within_its_own_rows_length_is_none(
    last: int, told: dict[int, list[int] | None], tokenizer_folder: Path, tmp_path: Path
) -> None:
    """The teacher writes a token for each place of a text, and the end at the last."""
    config = TASK.model_copy(update={"max_length": 8})
    rows = rows_of(tmp_path / "task", config, lambda prompt, split: {"prompt": prompt, "completion": " sail"})
    data = TaskData.read(rows, config, load_tokenizer(tokenizer_folder))
    teacher: Any = small_model("gpt2")
    tokens = torch.tensor([2 if place == last else 10 + place for place in range(12)])
    with torch.no_grad():
        teacher.transformer.wpe.weight[:12] = 100 * teacher.transformer.wte.weight[tokens]
    assert dict(written(teacher, data, [[5], [5, 6, 7, 8, 9]], [0, 1], 1)) == told


def test_texts_without_a_prompt_have_no_answers(tokenizer_folder: Path, tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "task", TASK, lambda prompt, split: {"text": prompt})
    data = TaskData.read(rows, TASK, load_tokenizer(tokenizer_folder))
    given = EVERY_ROW.read(rows, data.task)
    with pytest.raises(DataError, match="no training row has a prompt"):
        teacher_rows(small_model("gpt2"), data, given, 1, "")


def test_a_file_whose_bytes_changed_is_written_again(tmp_path: Path) -> None:
    assert written_before(tmp_path) is None
    path = write_once(tmp_path, [{"text": "red␟ blue\u2028 green"}, {"text": "sea"}])
    assert written_before(tmp_path) == path
    assert rows_in(path) == [{"text": "red␟ blue\u2028 green"}, {"text": "sea"}]
    path.write_text("{}")
    assert written_before(tmp_path) is None
