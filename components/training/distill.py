"""Stage distill: a shallower student learns from its teacher's answers, its hidden states and the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, layer_norm, log_softmax
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from components.artifacts import read_manifest
from components.modeling.architectures import layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.objectives import Batch
from components.modeling.students import LayerMap, build_student, map_layers
from components.params import DistillConfig, TaskConfig, TrainerConfig
from components.run import Metrics, Run
from components.tasks.classification import Classification, ClassificationObjective
from components.tasks.kinds import TASK_KINDS
from components.training import ranks
from components.training.figures import curves_figure
from components.training.finetune import VALIDATION_BATCH, learn_task, save_classifier, task_schedule, validation_batch
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.trainer import prepare_libraries


def distill(
    config: DistillConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    teacher: Path,
    student: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train a student of `teacher` and write it to `student`. Returns its best epoch's validation metrics."""
    read_manifest(teacher, "classifier")
    prepare_libraries(config.threads)
    data = TASK_KINDS[task.kind].read(rows, task, load_tokenizer(teacher))
    guide: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(teacher).eval()
    layers = map_layers(len(layers_of(guide)), config.depth_fraction)
    torch.manual_seed(derived_seed(seed, "student"))
    learner = build_student(guide, layers, config.dropout)
    objective = DistillationObjective(guide, layers, config, ClassificationObjective(len(data.labels), 0.0))
    schedule = task_schedule(data, config, f"distill {task_name}", "")
    curves, metrics = learn_task(learner, objective, data, config, trainer, seed, schedule, checkpoints, run)
    if not ranks.leads():
        return {}
    save_classifier(learner, teacher, student, task_name, data, {"rows": rows, "teacher": teacher})
    run.log_figure("loss.png", curves_figure({"student": curves.history}, ["loss", data.monitor]))
    return {**metrics, "agreement": agreement(guide, learner, data), "layers": len(layers.copied)}


@dataclass(frozen=True)
class DistillationObjective:
    """Soft labels at a temperature (Hinton 2015), hidden states (Jiao 2020, TinyBERT) and hard labels.

    The teacher reads the clean text; the student may read one with hidden tokens.
    """

    teacher: PreTrainedModel
    layers: LayerMap
    config: DistillConfig
    task: ClassificationObjective

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        mask = batch["attention_mask"]
        with torch.no_grad():
            guide = self.teacher.to(mask.device)(batch["clean_ids"], attention_mask=mask, output_hidden_states=True)
        answer = model(batch["input_ids"], attention_mask=mask, output_hidden_states=True)
        hard = cross_entropy(answer.logits.float(), batch["targets"], reduction="sum") / batch["count"]
        soft = soft_loss(answer.logits.float(), guide.logits.float(), self.config.temperature) / batch["count"]
        # hidden_states[0] is the embedding, [1] the first layer's output.
        wanted = [guide.hidden_states[index + 1] for index in self.layers.imitated]
        hidden = hidden_loss(answer.hidden_states[1:], wanted, mask) / batch["tokens"]
        weight = self.config.soft_weight
        return weight * soft + (1 - weight) * hard + self.config.hidden_weight * hidden

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return self.task.score(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return self.task.summary(scores)


def soft_loss(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Sum over rows of the divergence from the teacher's softened answers.

    Times temperature squared, so that gradients keep their size.
    """
    student = log_softmax(logits / temperature, dim=1)
    teacher = log_softmax(wanted / temperature, dim=1)
    return kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2


def hidden_loss(states: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Squared difference of states [n, length, width]: mean over layers and dimensions, sum over real tokens.

    States are brought to mean 0 and variance 1 first: the residual stream has no natural scale.
    """
    total = torch.zeros((), device=mask.device)
    for state, target in zip(states, wanted, strict=True):
        width = state.shape[-1:]
        difference = layer_norm(state.float(), width) - layer_norm(target.float(), width)
        total = total + (difference.square().mean(dim=-1) * mask).sum()
    return total / len(wanted)


@torch.no_grad()
def agreement(teacher: PreTrainedModel, student: PreTrainedModel, data: Classification) -> float:
    """Share of the validation rows that both put into the same class."""
    same = total = 0
    teacher.cpu()
    for number in range(-(-len(data.validation.ids) // VALIDATION_BATCH)):
        batch = validation_batch(data, number)
        inputs = batch["input_ids"], batch["attention_mask"]
        answers = [model(*inputs).logits.argmax(dim=1) for model in (teacher, student)]
        same += int((answers[0] == answers[1]).sum())
        total += len(answers[0])
    return same / total
