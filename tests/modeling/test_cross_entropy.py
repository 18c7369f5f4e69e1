import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from components.modeling import cross_entropy as module
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses

VOCABULARY, WIDTH = 23, 6


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.CHUNK_ROWS, "cpu", 8)
    monkeypatch.setitem(module.EXACT_ROWS, "cpu", 3)


def example(rows: int, bias: bool = True, dtype: torch.dtype = torch.float64) -> tuple[Tensor, nn.Linear, Tensor]:
    torch.manual_seed(rows)
    hidden = torch.randn(rows, WIDTH, dtype=dtype, requires_grad=True)
    head = nn.Linear(WIDTH, VOCABULARY, bias=bias, dtype=dtype)
    return hidden, head, torch.randint(VOCABULARY, (rows,))


def slopes(loss: Tensor, hidden: Tensor, head: nn.Linear) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [hidden, *head.parameters()]))


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16, 17, 40])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("factor", [1.0, -0.37])
def test_value_and_gradients_are_those_of_the_whole_matrix(rows: int, bias: bool, factor: float) -> None:
    hidden, head, targets = example(rows, bias)
    expected = factor * cross_entropy(head(hidden), targets, reduction="sum")
    found = factor * chunked_cross_entropy(hidden, head, targets)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(slopes(found, hidden, head), slopes(expected, hidden, head))


def test_the_gradients_are_those_of_finite_differences() -> None:
    hidden, head, targets = example(10)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return module._ChunkedCrossEntropy.apply(hidden, weight, bias, targets)

    assert torch.autograd.gradcheck(loss, (hidden, head.weight, head.bias))


def test_gradients_reach_what_lies_before_and_add_up() -> None:
    hidden, head, targets = example(20)
    before = nn.Linear(WIDTH, WIDTH, dtype=torch.float64)
    leaves = [*before.parameters(), *head.parameters()]
    inputs = hidden.detach()
    expected = cross_entropy(head(before(inputs).tanh()), targets, reduction="sum") / 20
    wanted = torch.autograd.grad(expected, leaves)
    for _ in range(2):
        (chunked_cross_entropy(before(inputs).tanh(), head, targets) / 20).backward()
    for leaf, slope in zip(leaves, wanted, strict=True):
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad, 2 * slope)


def test_a_head_tied_to_the_embeddings_gets_both_gradients() -> None:
    torch.manual_seed(0)
    embedding, head = nn.Embedding(VOCABULARY, WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)
    head.weight = embedding.weight
    ids, targets = torch.arange(20), torch.randint(VOCABULARY, (20,))
    (found,) = torch.autograd.grad(chunked_cross_entropy(embedding(ids), head, targets), [head.weight])
    (expected,) = torch.autograd.grad(cross_entropy(head(embedding(ids)), targets, reduction="sum"), [head.weight])
    torch.testing.assert_close(found, expected)


def test_no_rows_cost_nothing() -> None:
    hidden, head, targets = example(0)
    loss = chunked_cross_entropy(hidden, head, targets)
    assert loss.item() == 0
    assert all(not slope.any() for slope in slopes(loss, hidden, head))
    assert row_losses(hidden, head, targets).shape == (0,)


@pytest.mark.parametrize("rows", [1, 8, 17])
@pytest.mark.parametrize("bias", [True, False])
def test_the_loss_of_each_row_is_torchs(rows: int, bias: bool) -> None:
    hidden, head, targets = example(rows, bias, torch.float32)
    found = row_losses(hidden, head, targets)
    assert not found.requires_grad
    torch.testing.assert_close(found, cross_entropy(head(hidden), targets, reduction="none").detach())
    torch.testing.assert_close(found.sum(), chunked_cross_entropy(hidden, head, targets).detach())


def test_huge_logits_do_not_overflow() -> None:
    hidden, head, targets = example(9, dtype=torch.float32)
    loss = chunked_cross_entropy(hidden * 1e4, head, targets)
    assert loss.isfinite()
    assert all(slope.isfinite().all() for slope in slopes(loss, hidden, head))


@pytest.mark.parametrize("bias", [True, False])
def test_in_bf16_it_is_close_and_the_gradients_keep_their_types(bias: bool) -> None:
    hidden, head, targets = example(40, bias, torch.float32)
    expected = cross_entropy(head(hidden), targets, reduction="sum")
    with torch.autocast("cpu", torch.bfloat16):
        found = chunked_cross_entropy(hidden, head, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.01, atol=0)
    for slope, wanted in zip(slopes(found, hidden, head), slopes(expected, hidden, head), strict=True):
        assert slope.dtype == torch.float32
        torch.testing.assert_close(slope, wanted, rtol=0, atol=0.05 * float(wanted.abs().max()))


def test_a_target_whose_probability_is_zero_in_float32_has_its_exact_loss() -> None:
    head, hidden = nn.Linear(1, 2, bias=False), torch.ones(1, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.0], [500.0]]))
    assert chunked_cross_entropy(hidden, head, torch.tensor([0])).item() == 500.0
