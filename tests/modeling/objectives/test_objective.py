import math

import pytest
import torch

from components.modeling.objectives.clm import CausalLanguageModeling
from components.modeling.objectives.contrastive import ContrastiveLanguageModeling
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.nsp import NextSentencePrediction
from components.modeling.objectives.objective import WHOLE, PretrainingObjective, perplexity
from components.modeling.objectives.permutation_lm import PermutationLanguageModeling
from components.modeling.objectives.rtd import ReplacedTokenDetection

MLM = MaskedLanguageModeling(vocab_size=1000, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=0.15)
CONTRASTIVE = ContrastiveLanguageModeling(MLM, separator_id=2, temperature=0.05, contrast_weight=1.0)


@pytest.mark.parametrize(
    "objective",
    [
        MLM,
        CONTRASTIVE,
        CausalLanguageModeling(),
        NextSentencePrediction(MLM, 1, 2, 0),
        ReplacedTokenDetection(MLM, 0.5, 50.0),
        PermutationLanguageModeling((0, 1, 2, 3), 0.2, 3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_objective_costs_what_its_batches_hold(objective: PretrainingObjective) -> None:
    ids = torch.randint(4, 1000, (64, 49), generator=torch.Generator().manual_seed(1))
    batch = objective.prepare(ids, torch.Generator().manual_seed(2), WHOLE)
    cost = objective.cost(64, 49)
    assert (cost.rows, cost.length) == tuple(batch["input_ids"].shape)
    assert cost.tokens == batch["tokens"]
    assert cost.head_positions == pytest.approx(len(batch["targets"]), rel=0.1)


def test_perplexity_is_the_exponential_of_the_mean_loss() -> None:
    assert perplexity(torch.tensor([1.0, 3.0])) == {"validation_loss": 2.0, "validation_perplexity": math.exp(2)}
