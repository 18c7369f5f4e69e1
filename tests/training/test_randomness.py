import torch

from components.training.randomness import derived_seed, seeded_generator, seeded_torch_generator


def test_seed_purpose_and_step_each_make_other_numbers() -> None:
    seeds = {derived_seed(*key) for key in [(1, "masking", 0), (2, "masking", 0), (1, "dropout", 0), (1, "masking", 1)]}
    assert len(seeds) == 4


def test_numbers_are_the_same_in_every_process() -> None:
    assert derived_seed(17, "dropout", 3) == 1791907998697371419
    assert seeded_generator(17, "windows", 0).integers(1000, size=3).tolist() == [372, 456, 793]


def test_torch_generators_repeat() -> None:
    first, second = (torch.rand(4, generator=seeded_torch_generator(3, "masking", 8)) for _ in range(2))
    assert torch.equal(first, second)
