"""Does a rung answer as its model does in PyTorch? On texts without labels, as `lianzi bundle` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.deployment.parity import Parity, answers, compare, shapes
from components.deployment.pytorch import outputs_of, torch_infer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from components.deployment.config import GateConfig
    from components.runtime.bundle import Classifier


@dataclass(frozen=True)
class AnswerParity:
    """A rung and its model on texts without labels: their outputs in several shapes, and the share of texts that both
    answer alike."""

    outputs: Parity
    agreement: float

    def __str__(self) -> str:
        return (
            f"largest difference of a logit {self.outputs.max_difference:.1e}, answers agree on {self.agreement:.1%} "
            "of the texts"
        )

    def metrics(self) -> dict[str, float | str]:
        return {**self.outputs.metrics(), "agreement": round(self.agreement, 6), "worst": self.outputs.worst_shape}

    def refusal(self, rung: str, limits: GateConfig) -> str | None:
        """Why the rung is not good enough, or None."""
        if rung == "fp32" and self.outputs.max_difference > limits.max_difference:
            return (
                f"a logit differs from PyTorch's by {self.outputs.max_difference:.2g} on {self.outputs.worst_shape}, "
                f"{limits.max_difference:g} is allowed"
            )
        if self.agreement < limits.min_agreement:
            return f"answers as PyTorch on {self.agreement:.1%} of the texts, {limits.min_agreement:.0%} is asked for"
        return None


class AnswerReference:
    """A model in PyTorch and its answers to texts, computed once for all rungs. Raises DataError where no text has a
    token."""

    def __init__(self, model: PreTrainedModel, rung: Classifier, texts: Sequence[str]) -> None:
        self.infer, self.outputs, self.texts = torch_infer(model), outputs_of(model), list(texts)
        self.batches = shapes(rung.encoder, self.texts)
        self.answers = answers(rung.kind, self.infer, rung.encoder, self.texts)


def answer_parity(reference: AnswerReference, rung: Classifier) -> AnswerParity:
    """Compare a rung with its model."""
    outputs = compare(reference.infer, rung.session.run, reference.batches, reference.outputs)
    found = answers(rung.kind, rung.session.run, rung.encoder, reference.texts)
    return AnswerParity(outputs, rung.kind.agreement(reference.answers, found))
