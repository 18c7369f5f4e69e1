"""What a model gives for a batch of a task's rows, whatever its head."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedModel

from components.modeling.heads import decoder_input_ids
from components.modeling.loading import takes_types
from components.modeling.objectives.objective import Batch
from components.training.contrast import in_batch_scores

NEVER = -1e4
"""The score of a choice that a row does not have: its probability is 0, and it teaches nothing."""


def outputs_of(model: PreTrainedModel, batch: Batch) -> Tensor:
    """The head's outputs [n, labels] of a batch, or [n, length, labels]; of an encoder-decoder those of its targets; of
    texts to find the scores of the batch's candidates [n, candidates]; where tokens are what is chosen among
    [n, labels, length]."""
    outputs: Tensor = model(input_ids=one_by_one(batch["input_ids"], batch), **beside_ids(model, batch))[0]
    return by_choice(outputs, batch)


def by_choice(outputs: Tensor, batch: Batch) -> Tensor:
    """Outputs [n * choices, 1] as [n, choices], NEVER where a row has no more choices; vectors as the scores of the
    batch's candidates; of windows [n, length, labels] as [n, labels, length], NEVER where no answer may be; others as
    they are."""
    if "allowed" in batch:
        return outputs.float().mT.masked_fill(~batch["allowed"][:, None], NEVER)
    if "present" not in batch:
        return outputs
    if "candidates" in batch:
        return in_batch_scores(outputs, batch, NEVER)
    present = batch["present"]
    return outputs.float().view(present.shape).masked_fill(~present, NEVER)


def one_by_one(values: Tensor, batch: Batch) -> Tensor:
    """Of rows with choices, [n, choices, length], what is of each choice; of others what there is."""
    return values.flatten(0, 1) if "present" in batch else values


def beside_ids(model: PreTrainedModel, batch: Batch) -> Batch:
    """What a model reads of a batch beside its token ids; of an encoder-decoder what its decoder reads as well."""
    names = ("attention_mask", *(("token_type_ids",) if takes_types(model.config) else ()))
    found = {name: one_by_one(batch[name], batch) for name in names if name in batch}
    if model.config.is_encoder_decoder:
        found["decoder_input_ids"] = decoder_input_ids(model.config, batch["targets"])
    return found
