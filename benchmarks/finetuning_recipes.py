"""Fine-tuning as transformers' examples do it (run_glue, run_ner, run_qa), with its own Trainer, to time ours beside.

Padding to the longest of a batch, AdamW (fused, their default), a linear schedule, an evaluation an epoch. The dropout
of attention is left out as it is in ours, which gives them the fused kernel too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from components.modeling.architectures import ATTENTION_DROPOUTS
from components.tasks.question_answering import QuestionAnswering
from components.tasks.rows import read_split, read_task
from components.tasks.task import NO_TARGET, Example, Row, Task
from components.training.config import FinetuneConfig

Features = dict[str, Any]


class Recipe(NamedTuple):
    """A class with the head, what pads a batch, rows as the head's inputs and labels, and the head's weights by their
    name in ours where it is another."""

    auto: Any
    collator: Any
    encode: Callable[[Task, Sequence[Row], PreTrainedTokenizerBase, int], list[Features]]
    renamed: Mapping[str, str] = MappingProxyType({})


def classes(task: Task, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Features]:
    """As run_glue: a text and the number of its label."""
    numbers = {label: number for number, label in enumerate(task.labels)}
    ids = tokenizer([row["text"] for row in rows], truncation=True, max_length=max_length)
    return [{**one, "label": numbers[row["label"]]} for one, row in zip(_apart(ids), rows, strict=True)]


def tags(task: Task, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Features]:
    """As run_ner: the tag of a word is learned at its first token."""
    numbers = {label: number for number, label in enumerate(task.labels)}
    ids = tokenizer([row["tokens"] for row in rows], truncation=True, max_length=max_length, is_split_into_words=True)
    found = []
    for place, (one, row) in enumerate(zip(_apart(ids), rows, strict=True)):
        words = ids.word_ids(place)
        first = [word is not None and word != before for before, word in zip([None, *words], words, strict=False)]
        learned = zip(words, first, strict=True)
        labels = [numbers[row["tags"][word]] if begins else NO_TARGET for word, begins in learned]
        found.append({**one, "labels": labels})
    return found


def spans(task: Task, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Features]:
    """As run_qa: overlapping windows; one without the whole of the answer is to point at its first token."""
    assert isinstance(task, QuestionAnswering)
    ids = tokenizer(
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=max_length,
        stride=task.doc_stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    offsets, numbers = ids.pop("offset_mapping"), ids.pop("overflow_to_sample_mapping")
    found = []
    for place, (one, row) in enumerate(zip(_apart(ids), numbers, strict=True)):
        start, end = _tokens_of(rows[row]["answers"], offsets[place], ids.sequence_ids(place))
        found.append({**one, "start_positions": start, "end_positions": end})
    return found


def _tokens_of(
    answers: Mapping[str, Any], offsets: Sequence[tuple[int, int]], parts: Sequence[int | None]
) -> tuple[int, int]:
    """The first and the last token of the first answer, 0 and 0 where the window has not all of it."""
    context = [token for token, part in enumerate(parts) if part == 1]
    if not answers["text"] or not context:
        return 0, 0
    begin = answers["answer_start"][0]
    stop = begin + len(answers["text"][0])
    if offsets[context[0]][0] > begin or offsets[context[-1]][1] < stop:
        return 0, 0
    inside = [token for token in context if offsets[token][1] > begin and offsets[token][0] < stop]
    return inside[0], inside[-1]


class NoneAtFirst(QuestionAnswering):
    """Questions whose windows point at their first token where they have no answer, as run_qa's do."""

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_length: int) -> list[Example]:
        found = super().encode(rows, tokenizer, max_length)
        for example in found:
            np.asarray(example.places)[1] = 0
        return found


RECIPES = {
    "classification": Recipe(AutoModelForSequenceClassification, DataCollatorWithPadding, classes),
    "token_classification": Recipe(AutoModelForTokenClassification, DataCollatorForTokenClassification, tags),
    "question_answering": Recipe(
        AutoModelForQuestionAnswering, DataCollatorWithPadding, spans, MappingProxyType({"qa_outputs": "classifier"})
    ),
}
"""Kind of task -> its recipe."""


def train(config: FinetuneConfig, rows: Path, checkpoint: Path, max_length: int, seed: int, target: Path) -> None:
    """Fine-tune a checkpoint on a task artifact by its kind's recipe, and save it."""
    task = read_task(rows)
    recipe = RECIPES[task.kind]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
    train_rows, held_out = (
        recipe.encode(task, read_split(rows / f"{split}.jsonl", task), tokenizer, max_length)
        for split in ("train", "validation")
    )
    settings: Any = AutoConfig.from_pretrained(
        checkpoint,
        trust_remote_code=False,
        id2label=dict(enumerate(task.labels)),
        label2id={label: number for number, label in enumerate(task.labels)},
        **dict.fromkeys(ATTENTION_DROPOUTS, 0.0),
    )
    model = recipe.auto.from_pretrained(checkpoint, config=settings, dtype="float32", trust_remote_code=False)
    trainer = Trainer(
        model=model,
        args=arguments(config, seed, target),
        train_dataset=train_rows,
        eval_dataset=held_out,
        data_collator=recipe.collator(tokenizer),
        processing_class=tokenizer,
        compute_metrics=None if recipe.renamed else accuracy,
    )
    trainer.train()
    trainer.save_model()


def under_our_names(folder: Path, renamed: Mapping[str, str]) -> None:
    """Rename the head's weights of a saved model, for ours to load it."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    for theirs, ours in renamed.items():
        weights = {name.replace(f"{theirs}.", f"{ours}.", 1): value for name, value in weights.items()}
    save_file(weights, path, {"format": "pt"})


def arguments(config: FinetuneConfig, seed: int, target: Path) -> TrainingArguments:
    """Our hyper-parameters under their names; what is not named is as their scripts have it."""
    return TrainingArguments(
        output_dir=str(target),
        seed=seed,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup_fraction,
        weight_decay=config.weight_decay,
        max_grad_norm=config.gradient_clip,
        bf16=config.precision == "bf16",
        eval_strategy="epoch",
        save_strategy="no",
        use_cpu=True,
        dataloader_pin_memory=False,
        report_to="none",
        disable_tqdm=True,
    )


def accuracy(found: Any) -> dict[str, float]:
    """The share of rows, or of words, with the right label."""
    counted = found.label_ids != NO_TARGET
    return {"accuracy": float(np.mean(found.predictions.argmax(axis=-1)[counted] == found.label_ids[counted]))}


def _apart(encoded: Any) -> list[Features]:
    names = list(encoded)
    return [dict(zip(names, values, strict=True)) for values in zip(*(encoded[name] for name in names), strict=True)]
