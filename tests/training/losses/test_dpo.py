"""Preference pairs: the loss of Rafailov 2023, and a decoder that learns to prefer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import log_softmax, logsigmoid

from components.artifacts import digest, write_manifest
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.errors import DataError, Interrupted
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import EVERY_ROW
from components.tasks.task import NO_TARGET
from components.training.config import FinetuneConfig
from components.training.finetune import finetune
from components.training.losses import learning
from components.training.losses.dpo import DirectPreference, Pairs, pair_likelihoods, pair_outputs, pairs_at_once
from components.training.store import CheckpointStore
from components.training.task_data import TaskData
from tests.small_language_models import small_model
from tests.training.test_checkpointing import StoppedRun, at, told

TASK = TaskConfig(kind="generation", language="en", max_length=24)
LORA = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.1, "targets": None}
ANSWERS = ["ship wave", "street tower"], ["sail tide", "market crowd"]


def pairs_folder(folder: Path, **single: Any) -> Path:
    """An artifact `task` of pairs in which answers about the sea are chosen; `single`: a further row of it."""
    raw = folder / "data" / "tasks" / "pairs"
    raw.mkdir(parents=True)
    for number, split in enumerate(("train", "validation", "test")):
        rows = [
            {"prompt": f"{word} {split} {place}", "chosen": f" {sea}", "rejected": f" {city}"}
            for place in range(12 if split == "train" else 4)
            for word in ("lamp", "barn")
            for sea, city in ANSWERS
        ]
        rows += [single] if single and number == 0 else []
        (raw / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    curate_task(TASK, raw, folder / "data", folder / "rows", Removals())
    return folder / "rows"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairs_folder(tmp_path_factory.mktemp("preferences"))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("decoder") / "pretrained"
    save_checkpoint(small_model("gpt2"), tokenizer_folder, folder)
    write_manifest(folder, "pretrained", {})
    return folder


def config_of(params: Params, **changes: Any) -> FinetuneConfig:
    small = {"epochs": 2, "min_steps": 1, "patience": 2, "batch_size": 8, "learning_rate": 3e-3, "threads": 1}
    preferred = {"loss": {"name": "dpo", "beta": 0.2}, "without_pretraining": False, "dropout": 0.0}
    return FinetuneConfig.model_validate({**params.finetune.model_dump(), **small, **preferred, **changes})


def test_the_loss_is_that_of_a_case_computed_by_hand() -> None:
    """Two tokens of vocabulary 2 an answer: log-probabilities ln 0.8 and ln 0.5, the reference's ln 0.5 twice."""
    logits = torch.tensor([[[math.log(0.8), math.log(0.2)]], [[0.0, 0.0]]])
    batch = {
        "input_ids": torch.tensor([[0]]),
        "attention_mask": torch.tensor([[1]]),
        "targets": torch.tensor([[0]]),
        "rejected_ids": torch.tensor([[0]]),
        "rejected_mask": torch.tensor([[1]]),
        "rejected_targets": torch.tensor([[1]]),
        "reference": torch.tensor([[math.log(0.5), math.log(0.5)]]),
        "count": 1,
    }
    model: Any = lambda **given: (logits,)  # noqa: E731
    model.config = SimpleNamespace(is_encoder_decoder=False, model_type="gpt2")
    loss = DirectPreference(SimpleNamespace(output=None), beta=0.5).loss(model, batch)  # type: ignore[arg-type]
    margin = math.log(0.8) - math.log(0.5)
    assert loss.item() == pytest.approx(-math.log(1 / (1 + math.exp(-0.5 * margin))), abs=1e-6)


def test_the_reference_reads_no_more_pairs_at_once_than_memory_holds() -> None:
    assert [pairs_at_once(*shape) for shape in ((96, 2048), (2 * 512, 50257), (2**20, 2**20))] == [64, 5, 1]


def test_likelihoods_are_those_of_each_text_read_alone_and_the_loss_is_trls(
    params: Params, rows: Path, pretrained: Path, tokenizer_folder: Path
) -> None:
    data = TaskData.read(rows, TASK, load_tokenizer(tokenizer_folder))
    reference, policy = small_model("gpt2"), small_model("gpt2", seed=1)
    pairs, objective = learning(reference, data, config_of(params), rows, EVERY_ROW)
    assert isinstance(pairs.train, Pairs)
    assert pairs.train.rejected is not None
    batch = pairs.batch(pairs.train, range(5))

    def alone(model: Any, ids: torch.Tensor, targets: torch.Tensor) -> float:
        likely = log_softmax(model(input_ids=ids[None]).logits[0], dim=-1)
        return sum(likely[place, token].item() for place, token in enumerate(targets.tolist()) if token != NO_TARGET)

    chosen, rejected = pair_likelihoods(pair_outputs(policy, batch), batch).detach().T
    for row in range(5):
        wanted = alone(policy, pairs.train.ids[row], pairs.train.targets[row])
        other = alone(policy, pairs.train.rejected.ids[row], pairs.train.rejected.targets[row])
        assert (chosen[row].item(), rejected[row].item()) == pytest.approx((wanted, other), abs=1e-3)
    logratios = (chosen - rejected) - (batch["reference"][:, 0] - batch["reference"][:, 1])
    expected = -logsigmoid(0.2 * logratios).mean()
    assert objective.loss(policy, batch).item() == pytest.approx(expected.item(), abs=1e-5)
    assert objective.loss(reference, batch).item() == pytest.approx(math.log(2), abs=1e-4)


def tuned(params: Params, rows: Path, pretrained: Path, folder: Path, run: RecordedRun, **changes: Any) -> Metrics:
    store = CheckpointStore(folder.parent / f"store-{folder.name}")
    config = config_of(params, **changes)
    return finetune(config, TASK, "pairs", params.trainer, 7, rows, pretrained, folder / "teacher", store, run)


def test_a_decoder_learns_to_prefer_and_goes_on_bit_for_bit_after_a_stop(
    params: Params, rows: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = RecordedRun(), RecordedRun()
    metrics = tuned(params, rows, pretrained, tmp_path / "whole", whole, adapter=LORA, learning_rate=1e-2)
    assert metrics["teacher"]["preference_accuracy"] > 0.9
    assert metrics["teacher"]["validation_loss"] < math.log(2)
    assert metrics["teacher"]["perplexity"] > 1
    assert metrics["teacher"]["merge_difference"] < 1e-3
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    with pytest.raises(Interrupted):
        tuned(params, rows, pretrained, tmp_path / "parts", StoppedRun(when=at(3)), adapter=LORA, learning_rate=1e-2)
    assert tuned(params, rows, pretrained, tmp_path / "parts", parts, adapter=LORA, learning_rate=1e-2) == metrics
    assert told(parts) == told(whole)
    assert digest(tmp_path / "parts" / "teacher") == digest(tmp_path / "whole" / "teacher")


def test_a_row_that_is_no_pair_is_named(
    params: Params, pretrained: Path, tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = pairs_folder(tmp_path, prompt="lamp", completion=" sail")
    data = TaskData.read(rows, TASK, load_tokenizer(tokenizer_folder))
    with pytest.raises(DataError, match=r"train/line-49: no pair of answers"):
        learning(small_model("gpt2"), data, config_of(params), rows, EVERY_ROW)
