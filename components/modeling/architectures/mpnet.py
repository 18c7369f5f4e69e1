"""MPNet: BERT's layers with a shared table of distances between tokens (Song 2020)."""

from __future__ import annotations

from components.modeling.architectures.architecture import Architecture
from components.modeling.architectures.families import BERT_NEURONS, FIRST_TOKEN, lm_head

ARCHITECTURE = Architecture(
    language_model="masked_lm",
    layers="encoder.layer",
    before_head=lm_head,
    head="lm_head.decoder",
    dropouts=("hidden_dropout_prob",),
    pooling=FIRST_TOKEN,
    neurons=BERT_NEURONS,
    # The shared table has a column a head, and each layer would lose other heads.
    heads=None,
    # The padding's position is 1 whatever the config says; transformers has it as a constant.
    first_position=lambda config: 2,
    own_attention=True,
)
