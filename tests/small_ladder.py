"""The whole deployment ladder for a small classifier: trained for some seconds, exported, quantized, bundled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import ModernBertConfig, ModernBertForSequenceClassification, PreTrainedModel

from components.artifacts import write_manifest
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from tests.small_artifacts import WORDS, sentences

LABELS = sorted(WORDS)
TASK = TaskConfig(kind="classification", language="en", max_length=24)


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
            TASK,
            "places",
            self.rows,
            self.student,
            self.onnx,
            quantized or self.quantized,
            bundle,
            run,
        )


def small_ladder(root: Path, params: Params, rows: Path, tokenizer: Path, layers: int = 1) -> Ladder:
    """Every rung; the engine store is wherever LIANZI_CACHE says."""
    ladder = Ladder.within(root, rows)
    small_classifier(ladder.teacher, tokenizer, seed=1, steps=60, layers=layers)
    small_classifier(ladder.scratch, tokenizer, seed=2, steps=1, layers=layers)
    small_classifier(ladder.student, tokenizer, seed=3, steps=60, layers=layers)
    run = RecordedRun()
    export(params.export, TASK, "places", rows, ladder.student, ladder.onnx, run)
    quantize(params.quantize, TASK, "places", rows, ladder.onnx, ladder.quantized, run)
    ladder.build(params, ladder.bundle, run)
    return ladder


def small_classifier(folder: Path, tokenizer: Path, seed: int, steps: int, layers: int = 1) -> PreTrainedModel:
    """A small ModernBERT that has seen `steps` batches."""
    torch.set_num_threads(1)  # two threads wait for each other on a busy machine
    encode = load_tokenizer(tokenizer)
    torch.manual_seed(seed)
    model = ModernBertForSequenceClassification(
        ModernBertConfig(
            vocab_size=len(encode),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=layers,
            num_attention_heads=1,
            max_position_embeddings=32,
            classifier_pooling="mean",
            layer_types=["full_attention"] * layers,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            cls_token_id=1,
            sep_token_id=2,
            id2label=dict(enumerate(LABELS)),
            label2id={label: number for number, label in enumerate(LABELS)},
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(steps):
        texts, labels = zip(*sentences(32, seed=1000 + step), strict=True)
        batch = encode(list(texts), truncation=True, max_length=24, padding=True, return_tensors="pt")
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        cross_entropy(logits, torch.tensor([LABELS.index(label) for label in labels])).backward()
        optimizer.step()
        optimizer.zero_grad()
    folder.mkdir(parents=True)
    save_checkpoint(model.eval(), tokenizer, folder)
    write_manifest(folder, "classifier", {}, task="places", labels=LABELS, max_length=24)
    return model
