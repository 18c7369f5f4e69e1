import torch
from transformers import GPT2Config, GPT2LMHeadModel

from components.modeling.objectives.clm import CausalLanguageModeling
from components.modeling.objectives.objective import WHOLE


def test_causal_loss_equals_that_of_transformers() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=100, n_embd=32, n_layer=1, n_head=1, n_positions=16)).eval()
    ids = torch.arange(32).reshape(2, 16)
    batch = CausalLanguageModeling().prepare(ids, torch.Generator(), WHOLE)
    torch.testing.assert_close(CausalLanguageModeling().loss(model, batch), model(input_ids=ids, labels=ids).loss)
