"""The whole deployment ladder for a small model: trained for some seconds, exported, quantized, bundled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import torch
from transformers import GPT2Config, ModernBertConfig, PreTrainedModel

from components.artifacts import write_manifest
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.modeling.heads import auto_model
from components.modeling.kinds import CARRIES_ON
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import read_task
from components.training.task_data import TaskData, encode
from components.training.task_objective import TaskObjective
from tests.small_artifacts import WORDS, sentences
from tests.small_kinds import ROW_OF

LABELS = sorted(WORDS)
LENGTH = 24
TASK = TaskConfig(kind="classification", language="en", max_length=LENGTH)


@dataclass(frozen=True)
class Ladder:
    """Folders of the artifacts, in the order in which they are made."""

    rows: Path
    teacher: Path
    scratch: Path
    student: Path
    onnx: Path
    quantized: Path
    bundle: Path

    @classmethod
    def within(cls, root: Path, rows: Path) -> Ladder:
        """The ladder whose artifacts lie in a folder, or are to."""
        return cls(rows, *(root / field.name for field in fields(cls)[1:]))

    def build(self, params: Params, bundle: Path, run: RecordedRun, quantized: Path | None = None) -> Metrics:
        """The stage `build` on these artifacts."""
        return build(
            params.build,
            params.gate,
            config_of(self.rows),
            "places",
            self.rows,
            self.student,
            self.onnx,
            quantized or self.quantized,
            bundle,
            run,
        )


def config_of(rows: Path) -> TaskConfig:
    """The parameters of the task with these rows."""
    return TaskConfig(kind=read_task(rows).kind, language="en", max_length=LENGTH)


def small_ladder(root: Path, params: Params, rows: Path, tokenizer: Path, layers: int = 1) -> Ladder:
    """Every rung of a model of the rows' kind of task; the engine store is wherever LIANZI_CACHE says."""
    ladder = Ladder.within(root, rows)
    for folder, seed, steps in ((ladder.teacher, 1, 60), (ladder.scratch, 2, 1), (ladder.student, 3, 60)):
        small_model(folder, rows, tokenizer, seed, steps, layers)
    run = RecordedRun()
    config = config_of(rows)
    export(params.export, config, "places", rows, ladder.student, ladder.onnx, run)
    quantize(params.quantize, config, "places", rows, ladder.onnx, ladder.quantized, run)
    ladder.build(params, ladder.bundle, run)
    return ladder


def small_model(folder: Path, rows: Path, tokenizer: Path, seed: int, steps: int, layers: int = 1) -> PreTrainedModel:
    """A small ModernBERT, or GPT-2 for texts to be carried on, that has seen `steps` batches of rows of the task."""
    torch.set_num_threads(1)  # two threads wait for each other on a busy machine
    words = load_tokenizer(tokenizer)
    data = TaskData.read(rows, config_of(rows), words)
    task = data.task
    torch.manual_seed(seed)
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    decoder = GPT2Config(vocab_size=len(words), n_positions=32, n_embd=64, n_layer=layers, n_head=2, **special)
    encoder = ModernBertConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=1,
        max_position_embeddings=32,
        classifier_pooling="mean",
        layer_types=["full_attention"] * layers,
        cls_token_id=1,
        sep_token_id=2,
        id2label=dict(enumerate(task.labels)),
        label2id={label: number for number, label in enumerate(task.labels)},
        **special,
    )
    config = decoder if task.head == CARRIES_ON else encoder
    model: PreTrainedModel = auto_model(task.head, config).from_config(config)
    objective, optimizer = TaskObjective(task), torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(steps):
        batch = [{"text": text} | ROW_OF[task.kind](text, place) for text, place in sentences(32, seed=1000 + step)]
        objective.loss(model, data.batch(encode(task, batch, words, LENGTH), range(len(batch)))).backward()
        optimizer.step()
        optimizer.zero_grad()
    folder.mkdir(parents=True)
    save_checkpoint(model.eval(), tokenizer, folder)
    write_manifest(folder, "classifier", {}, task="places", max_length=LENGTH, **task.manifest())
    return model
