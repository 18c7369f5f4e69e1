"""The contenders of the training benchmark: our step, and what a user would write or pick instead."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import GPT2LMHeadModel

from benchmarks.handwritten import Handwritten
from benchmarks.training_task import Task
from benchmarks.turns import Contender, hand_over
from components.modeling.attention import ATTENTION
from components.modeling.objectives.objective import Batch
from components.run import RecordedRun, Run
from components.training.config import Precision
from components.training.module import LanguageModule, Learner
from components.training.store import CheckpointStore
from components.training.trainer import Schedule, fit

OURS = "ours"
Started = tuple[torch.nn.Module, Callable[[dict[str, Tensor]], Tensor]]
"""A model, and what gives the loss of a batch."""


def ours(task: Task, run: Run | None = None) -> Contender:
    """The project's own path: its loop, its module, its curves, its checkpoints, its reader of packed tokens."""

    def make(step: int, rows: slice) -> Batch:
        hand_over()
        return task.batches.make(step, rows)

    def train(contender: Contender) -> None:
        module = LanguageModule(task.model(), task.objective, task.config, task.trainer, task.config.steps, seed=0)
        module.learner.register_forward_hook(lambda _, inputs, out: _keep(contender, out))
        schedule = Schedule("benchmark", task.config.steps, task.tokens * task.config.steps)
        with tempfile.TemporaryDirectory() as folder:
            store = CheckpointStore(Path(folder))
            precision: Precision = "bf16" if task.bf16 else "fp32"
            fit(module, replace(task.batches, make=make), schedule, precision, run or RecordedRun(), store)

    return Contender(OURS, train, deterministic=True)


def bare_loop(task: Task) -> Contender:
    """A loop around transformers' model as its documentation writes it."""

    def start() -> Started:
        model = task.model()
        return model, lambda batch: model(**batch).loss

    return _loop("bare loop", task, start)


def handwritten(task: Task, compiled: bool = False) -> Contender:
    """A loop around a model written by hand for speed, and compiled by torch.compile where that is asked for."""

    def start() -> Started:
        model = Handwritten(cast(GPT2LMHeadModel, task.model()))
        forward = torch.compile(model) if compiled else model
        return model, lambda batch: forward(batch["input_ids"])

    return _loop(f"hand-written{', compiled' if compiled else ''}", task, start)


def _loop(name: str, task: Task, start: Callable[[], Started]) -> Contender:
    def train(contender: Contender) -> None:
        model, loss_of = start()
        optimizer = task.optimizer(model)
        for step in range(task.config.steps):
            hand_over()
            batch = task.labelled(step)
            with task.autocast():
                loss = loss_of(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), task.config.gradient_clip)
            optimizer.step()
            optimizer.zero_grad()
            contender.losses.append(loss.detach())

    return Contender(name, train)


class Rows(Dataset[dict[str, Tensor]]):
    """The task's rows one by one, for frameworks that put batches together themselves."""

    def __init__(self, task: Task) -> None:
        self.task, self.size = task, task.config.batch_size

    def __len__(self) -> int:
        return self.task.config.steps * self.size

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        step, row = divmod(index, self.size)
        if row == 0:
            hand_over()
            self.batch = self.task.labelled(step)
        return {name: tensor[row] for name, tensor in self.batch.items()}


def hf_trainer(task: Task) -> Contender:
    """transformers' own Trainer."""
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback, Trainer, TrainingArguments

    rows = Rows(task)

    class InOrder(Trainer):
        contender: Contender

        def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
            return SequentialSampler(rows)

        def training_step(self, *arguments: Any, **options: Any) -> Tensor:
            loss: Tensor = super().training_step(*arguments, **options)
            _keep(self.contender, loss)
            return loss

    def train(contender: Contender) -> None:
        config = task.config
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                max_steps=config.steps,
                per_device_train_batch_size=config.batch_size,
                learning_rate=config.learning_rate,
                lr_scheduler_type="constant",
                weight_decay=config.weight_decay,
                max_grad_norm=config.gradient_clip,
                optim="adamw_torch_fused",
                bf16=task.bf16,
                use_cpu=True,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            )
            trainer = InOrder(model=task.model(), args=arguments, train_dataset=rows)
            trainer.remove_callback(PrinterCallback)
            trainer.contender = contender
            trainer.train()

    return Contender("HF Trainer", train)


class PlainModule(lightning.LightningModule):
    """What a user of Lightning would write."""

    def __init__(self, task: Task, contender: Contender) -> None:
        super().__init__()
        self.model, self.task, self.contender = task.model(), task, contender

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        _keep(self.contender, loss)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # By hand: in bf16 Lightning's own clipping refuses a fused optimizer.
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.task.config.gradient_clip)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.task.optimizer(self.model)


class PlainLearner(PlainModule):
    """Lightning and nothing else around the very computation our step does."""

    def __init__(self, task: Task, contender: Contender) -> None:
        super().__init__(task, contender)
        self.model.set_attn_implementation(ATTENTION)
        self.learner = Learner(self.model, task.objective)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        loss: Tensor = self.learner(batch, validating=False)
        _keep(self.contender, loss)
        return loss


class Steps(Dataset[Batch]):
    """The task's batches as our step sees them."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __len__(self) -> int:
        return self.task.config.steps

    def __getitem__(self, step: int) -> Batch:
        hand_over()
        return self.task.batches.make(step, slice(None))


def plain_lightning(task: Task) -> Contender:
    """Lightning with a user's own module, without logging."""

    def train(contender: Contender) -> None:
        loader = DataLoader(Rows(task), batch_size=task.config.batch_size)
        _lightning(task).fit(PlainModule(task, contender), loader)

    return Contender("plain Lightning", train)


def plain_learner(task: Task) -> Contender:
    """Lightning without logging around our own computation: what is left is the cost of what watches a training."""

    def train(contender: Contender) -> None:
        loader = DataLoader(Steps(task), batch_size=None, collate_fn=lambda batch: batch)
        _lightning(task).fit(PlainLearner(task, contender), loader)

    return Contender("plain Lightning, our computation", train, deterministic=True)


def _lightning(task: Task) -> lightning.Trainer:
    return lightning.Trainer(
        max_steps=task.config.steps,
        accelerator="cpu",
        devices=1,
        precision="bf16-mixed" if task.bf16 else "32-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _keep(contender: Contender, loss: object) -> None:
    """Note a step's loss; what validation gives is no loss."""
    if isinstance(loss, Tensor):
        contender.losses.append(loss.detach())
