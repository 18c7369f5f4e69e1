import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from components.artifacts import digest, read_manifest
from components.errors import LianziError, ParameterError
from components.modeling.checkpoints import load_classifier
from components.modeling.config import ModelConfig
from components.modeling.kinds import ENCODER_DECODERS
from components.params import Params, check_params
from components.run import Metrics, RecordedRun
from components.training.config import PretrainConfig
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore
from tests.small_params import objective

SMALL = {
    "steps": 12,
    "batch_size": 4,
    "sequence_length": 16,
    "validate_every": 5,
    "validation_sequences": 8,
    "threads": 1,
    "init_from": None,
}


TOKENS = {"contrastive": 10, "nsp": 13, "sop": 13, "span_corruption": 22, "text_infilling": 32}
"""Objective -> tokens read of a window of 16, where that is not all of them once."""


class Learner:
    """Runs the stage on small tokens with some parameters changed."""

    def __init__(self, params: Params, tokens: Path, tokenizer: Path, folder: Path) -> None:
        self.params, self.tokens, self.tokenizer, self.folder = params, tokens, tokenizer, folder
        self.trainer: dict[str, Any] = {}

    def __call__(self, name: str, run: RecordedRun, architecture: str = "modernbert", **changes: Any) -> Metrics:
        section = {**self.params.pretrain.model_dump(), **SMALL, "objective": objective("mlm"), **changes}
        model = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 32})
        config = PretrainConfig.model_validate(section)
        trainer = self.params.trainer.model_copy(update=self.trainer)
        store = CheckpointStore(self.folder / ".checkpoints" / name)
        return pretrain(config, model, trainer, 7, self.tokens, self.tokenizer, self.folder / name, store, run)


@pytest.fixture
def learn(params: Params, tokens_folder: Path, tokenizer_folder: Path, tmp_path: Path) -> Learner:
    return Learner(params, tokens_folder, tokenizer_folder, tmp_path)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("modernbert", "mlm"),
        ("modernbert", "contrastive"),
        ("bert", "nsp"),
        ("roberta", "sop"),
        ("electra", "rtd"),
        ("xlnet", "permutation_lm"),
        ("gpt2", "clm"),
        ("llama", "clm"),
        ("t5", "span_corruption"),
        ("bart", "text_infilling"),
    ],
)
def test_every_architecture_learns(learn: Learner, run: RecordedRun, architecture: str, name: str) -> None:
    apart = architecture not in ENCODER_DECODERS
    given = {"objective": objective(name), "document_attention": apart, "steps": 40, "learning_rate": 5e-3}
    metrics = learn("model", run, architecture, **given)
    losses = [values["validation_loss"] for _, values in run.steps if "validation_loss" in values]
    assert losses[-1] < losses[0]
    assert metrics["validation_loss"] == losses[-1]
    assert metrics["tokens_seen"] == 40 * 4 * TOKENS.get(name, 16)


def test_a_window_of_several_documents_is_one_text_to_an_encoder_decoder(learn: Learner, run: RecordedRun) -> None:
    with pytest.raises(ParameterError, match="document_attention: span_corruption reads a window as one text"):
        learn("model", run, "t5", objective=objective("span_corruption"), document_attention=True)


def test_a_pooler_that_next_sentence_prediction_has_trained_is_kept(
    learn: Learner, run: RecordedRun, tmp_path: Path
) -> None:
    learn("model", run, "bert", objective=objective("nsp"))
    loaded = load_classifier(tmp_path / "model", ["a", "b"], 0.0)
    assert loaded.new == ("classifier",)
    assert loaded.unused == ()


def test_what_replaced_token_detection_keeps_is_the_backbone(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    learn("model", run, "electra", objective=objective("rtd"))
    kept = load_file(tmp_path / "model" / "model.safetensors")
    assert not any("generator" in name or "head" in name for name in kept)
    assert load_classifier(tmp_path / "model", ["a", "b"], 0.0).new == ("classifier",)


def test_the_last_step_is_always_validated(learn: Learner, run: RecordedRun) -> None:
    learn("model", run)
    assert [step for step, values in run.steps if "validation_loss" in values] == [5, 10, 12]
    assert [step for step, values in run.steps if "loss" in values] == list(range(1, 13))
    assert "loss.png" in run.figures


def test_a_second_run_writes_the_same_bytes(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    first, second = learn("first", run), learn("second", run)
    assert first == second
    assert digest(tmp_path / "first") == digest(tmp_path / "second")
    assert set(read_manifest(tmp_path / "first", "pretrained")["made_from"]) == {"tokens", "tokenizer"}


def test_training_goes_on_from_a_checkpoint(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    before = learn("first", run, steps=60, learning_rate=5e-3)
    after = learn("second", run, steps=1, learning_rate=1e-6, init_from=str(tmp_path / "first"))
    assert after["validation_loss"] == pytest.approx(before["validation_loss"], abs=0.01)
    assert any("going on from" in line for line in run.lines)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_are_trained_in_float32_whatever_the_checkpoint_was_saved_in(
    learn: Learner, run: RecordedRun, tmp_path: Path, dtype: torch.dtype
) -> None:
    """Two checkpoints of equal numbers, one of them in 16 bits: what comes of them is the same to the bit."""
    learn("first", run)
    for name, kept_in in (("narrow", dtype), ("wide", torch.float32)):
        shutil.copytree(tmp_path / "first", tmp_path / name)
        path = tmp_path / name / "model.safetensors"
        rounded = {key: value.to(dtype).to(kept_in) for key, value in load_file(path).items()}
        save_file(rounded, path, metadata={"format": "pt"})
    config = tmp_path / "narrow" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": str(dtype).removeprefix("torch.")}))
    for name in ("narrow", "wide"):
        learn(f"{name} on", run, init_from=str(tmp_path / name), precision="fp32", learning_rate=1e-5)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("narrow", "narrow on"))
    moved = sum(int((before[key].float() != after[key]).sum()) for key in after)
    assert moved > 0.99 * sum(value.numel() for value in after.values())
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "narrow on" / file).read_bytes() == (tmp_path / "wide on" / file).read_bytes()


def test_a_head_that_the_checkpoint_lacks_is_told_in_a_line(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    learn("first", run)
    path = tmp_path / "first" / "model.safetensors"
    encoder = {key: value for key, value in load_file(path).items() if key.startswith("model.")}
    save_file(encoder, path, metadata={"format": "pt"})
    learn("second", run, init_from=str(tmp_path / "first"), steps=1)
    said = "decoder, head: not in the checkpoint, begins with random weights"
    assert any(line.endswith(said) for line in run.lines)


def test_a_loss_that_explodes_stops_the_stage_and_leaves_nothing(
    learn: Learner, run: RecordedRun, tmp_path: Path
) -> None:
    with pytest.raises(LianziError, match=r"at step \d+\n.*learning_rate"):
        learn("model", run, learning_rate=1e30, warmup_fraction=0.0)
    assert list(tmp_path.iterdir()) == []


def test_windows_longer_than_the_corpus_are_refused(learn: Learner, run: RecordedRun) -> None:
    with pytest.raises(ParameterError, match="64 is longer than"):
        learn("model", run, sequence_length=64)


def test_an_objective_that_does_not_fit_is_refused_before_training(learn: Learner, run: RecordedRun) -> None:
    with pytest.raises(ParameterError, match="does not fit"):
        learn("model", run, "gpt2")
    assert run.steps == []


def test_with_no_steps_the_checkpoint_goes_on_as_it_is(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    learn("first", run, objective=objective("mlm"))
    run.steps.clear()
    metrics = learn("second", run, steps=0, init_from=str(tmp_path / "first"))
    assert metrics["tokens_seen"] == 0
    assert run.steps == []
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert set(read_manifest(tmp_path / "second", "pretrained")["made_from"]) == {"tokenizer", "init_from"}
    learn("third", run, steps=0, init_from=str(tmp_path / "first"))
    assert digest(tmp_path / "second") == digest(tmp_path / "third")


def test_a_pooler_goes_along_and_a_random_vocabulary_head_does_not(
    learn: Learner, run: RecordedRun, tmp_path: Path
) -> None:
    learn("first", run, "bert")
    path = tmp_path / "first" / "model.safetensors"
    backbone = {name: value for name, value in load_file(path).items() if name.startswith("bert.")}
    pooler = {"bert.pooler.dense.weight": torch.eye(64), "bert.pooler.dense.bias": torch.ones(64)}
    save_file(backbone | pooler, path, metadata={"format": "pt"})
    learn("second", run, "bert", steps=0, init_from=str(tmp_path / "first"))
    after = load_file(tmp_path / "second" / "model.safetensors")
    assert torch.equal(after["pooler.dense.weight"], torch.eye(64))
    assert not any(name.startswith("cls.") for name in after)
    loaded = load_classifier(tmp_path / "second", ["blue", "red"], 0.1)
    assert loaded.new == ("classifier",)


def test_next_sentence_prediction_goes_on_from_the_checkpoints_pooler(
    learn: Learner, run: RecordedRun, tmp_path: Path
) -> None:
    learn("first", run, "bert", objective=objective("nsp"))
    given = {"objective": objective("nsp"), "init_from": str(tmp_path / "first"), "average_decay": 0.99}
    learn("second", run, "bert", steps=1, learning_rate=1e-9, weight_decay=0.0, **given)
    assert "pretrain.init_from: the pooler goes on from the checkpoint's" in run.lines
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    name = "bert.pooler.dense.weight"
    torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)


def test_windows_longer_than_a_checkpoint_reads_are_refused(learn: Learner, run: RecordedRun, tmp_path: Path) -> None:
    learn("first", run)
    with pytest.raises(ParameterError, match=r"sequence_length 33 is longer than .* \(32 tokens\)"):
        learn("second", run, init_from=str(tmp_path / "first"), sequence_length=33)


def test_no_steps_from_no_checkpoint_are_refused(params: Params) -> None:
    content = params.model_dump(by_alias=True)
    content["pretrain"]["steps"] = 0
    with pytest.raises(ParameterError, match=r"pretrain: steps: 0 takes the checkpoint of init_from as it is"):
        check_params(content, "params.yaml")
