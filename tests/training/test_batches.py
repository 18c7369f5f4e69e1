from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.objectives.clm import CausalLanguageModeling
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import Batch, Objective, PretrainingObjective
from components.tasks.config import TaskConfig
from components.tokenization.reader import PackedTokens
from components.training.batches import (
    Batches,
    Part,
    Segment,
    StepData,
    ValidationBatches,
    check_division,
    window_batches,
)
from components.training.order import BucketedOrder
from components.training.task_data import TaskData
from components.training.task_objective import TaskObjective
from components.training.task_training import task_batches

MLM = MaskedLanguageModeling(330, 3, (0, 1, 2, 3), 0.15)
WHOLE = slice(None)
DIVISIONS = [(1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (4, 1)]
"""(ranks, micro-batches)"""


def windows(tokens_folder: Path, objective: PretrainingObjective = MLM, seed: int = 1, batch_size: int = 10) -> Batches:
    training, validation = (PackedTokens(tokens_folder, split) for split in ("train", "validation"))
    return window_batches(training, validation, objective, 16, batch_size, 25, seed)


def parts_of(batches: Batches, step: int, world: int, accumulate: int) -> list[Batch]:
    """What all ranks get of a step, as it would lie together in the whole batch."""
    segments = []
    for rank in range(world):
        segment = Segment(batches.make, batches.sizes, step, step + 1, accumulate)
        segment.rank, segment.world = rank, world
        segments.append(segment)
    return [segment[micro] for micro in range(accumulate) for segment in segments]


def same(first: Batch, second: Batch) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) if isinstance(value, Tensor) else value == second[name]
        for name, value in first.items()
    )


@pytest.mark.parametrize("of", range(1, 9))
def test_the_parts_tile_a_batch_evenly(of: int) -> None:
    for size in range(of, 40):
        rows = [row for number in range(of) for row in range(size)[Part(number, of).rows(size)]]
        assert rows == list(range(size))
        lengths = [len(range(size)[Part(number, of).rows(size)]) for number in range(of)]
        assert max(lengths) - min(lengths) <= 1


def test_a_segment_gives_the_micro_batches_of_its_steps_in_order() -> None:
    segment = Segment(lambda step, rows: {"step": step, "rows": rows}, lambda step: 10 + step, 3, 6, 2)
    assert len(segment) == 6
    given = [segment[index] for index in range(len(segment))]
    assert [batch["step"] for batch in given] == [3, 3, 4, 4, 5, 5]
    assert [batch["rows"] for batch in given[:4]] == [slice(0, 6), slice(6, 13), slice(0, 7), slice(7, 14)]


@pytest.mark.parametrize(("world", "accumulate"), DIVISIONS)
def test_the_parts_of_masked_windows_are_the_whole_batch(tokens_folder: Path, world: int, accumulate: int) -> None:
    batches = windows(tokens_folder)
    for step in (0, 7):
        whole = batches.make(step, WHOLE)
        parts = parts_of(batches, step, world, accumulate)
        assert torch.equal(torch.cat([part["input_ids"] for part in parts]), whole["input_ids"])
        positions, tokens = [], 0
        for part in parts:
            positions.append(part["positions"] + tokens)
            tokens += part["input_ids"].numel()
        assert torch.equal(torch.cat(positions), whole["positions"])
        assert torch.equal(torch.cat([part["targets"] for part in parts]), whole["targets"])
        assert {part["count"] for part in parts} == {len(whole["targets"])}
        assert {part["tokens"] for part in parts} == {160}


@pytest.mark.parametrize(("world", "accumulate"), DIVISIONS)
def test_the_parts_of_plain_windows_are_the_whole_batch(tokens_folder: Path, world: int, accumulate: int) -> None:
    batches = windows(tokens_folder, CausalLanguageModeling())
    whole, parts = batches.make(4, WHOLE), parts_of(batches, 4, world, accumulate)
    assert torch.equal(torch.cat([part["input_ids"] for part in parts]), whole["input_ids"])
    assert {(part["count"], part["tokens"]) for part in parts} == {(150, 160)}


def test_a_step_gives_the_same_batch_whenever_it_is_asked_for(tokens_folder: Path) -> None:
    first = windows(tokens_folder)
    for step in range(7):
        first.make(step, WHOLE)
    batch = first.make(7, WHOLE)
    assert same(batch, windows(tokens_folder).make(7, WHOLE))
    assert not same(batch, first.make(8, WHOLE))
    assert not same(batch, windows(tokens_folder, seed=2).make(7, WHOLE))


def test_the_samples_of_a_step_are_the_windows_in_its_batch(tokens_folder: Path) -> None:
    batches = windows(tokens_folder, CausalLanguageModeling())
    tokens = PackedTokens(tokens_folder, "train")
    expected = torch.from_numpy(tokens.gather(batches.samples(3), 16))
    assert torch.equal(batches.make(3, WHOLE)["input_ids"], expected)


@pytest.fixture(scope="module")
def language_model(tokenizer_folder: Path) -> Callable[[str], PreTrainedModel]:
    def build(architecture: str) -> PreTrainedModel:
        torch.manual_seed(0)
        section = ModelConfig.model_validate(
            {"architecture": architecture, "depth": 1, "width": None, "max_length": 16}
        )
        return build_language_model(section, load_tokenizer(tokenizer_folder), 16).eval()

    return build


def gradients(model: PreTrainedModel, objective: Objective, parts: list[Batch]) -> tuple[float, list[Tensor]]:
    """The parts' losses and gradients, each added up."""
    model.zero_grad()
    total = 0.0
    for part in parts:
        loss = objective.loss(model, part)
        loss.backward()
        total += loss.item()
    return total, [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def check_sum(model: PreTrainedModel, objective: Objective, batches: Batches, step: int) -> None:
    wanted, slopes = gradients(model, objective, [batches.make(step, WHOLE)])
    for world, accumulate in DIVISIONS[1:]:
        found, added = gradients(model, objective, parts_of(batches, step, world, accumulate))
        assert found == pytest.approx(wanted, rel=1e-5)
        for slope, expected in zip(added, slopes, strict=True):
            torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "objective"), [("modernbert", MLM), ("bert", MLM), ("gpt2", CausalLanguageModeling())]
)
def test_the_parts_losses_and_gradients_add_up_to_those_of_the_whole(
    tokens_folder: Path,
    language_model: Callable[[str], PreTrainedModel],
    architecture: str,
    objective: PretrainingObjective,
) -> None:
    check_sum(language_model(architecture), objective, windows(tokens_folder, objective), 3)


@pytest.fixture
def task(task_rows: Path, tokenizer_folder: Path) -> TaskData:
    section = TaskConfig(kind="classification", language="en", max_length=16)
    return TaskData.read(task_rows, section, load_tokenizer(tokenizer_folder))


def test_a_classifiers_parts_losses_and_gradients_add_up_to_those_of_the_whole(
    task: TaskData,
    language_model: Callable[[str], PreTrainedModel],
    tokenizer_folder: Path,
    tmp_path: Path,
) -> None:
    save_checkpoint(language_model("modernbert"), tokenizer_folder, tmp_path)
    model = random_classifier(tmp_path, task.task.labels, 0.0).eval()
    batches = task_batches(task, BucketedOrder(task.train.lengths, 16, 1), 0.1, 1)
    check_sum(model, TaskObjective(task.task, 0.1), batches, 2)


@pytest.mark.parametrize(("world", "accumulate"), DIVISIONS)
def test_the_parts_of_a_task_are_the_whole_batch(task: TaskData, world: int, accumulate: int) -> None:
    batches = task_batches(task, BucketedOrder(task.train.lengths, 16, 1), 0.2, 1)
    for step in range(4):
        whole, parts = batches.make(step, WHOLE), parts_of(batches, step, world, accumulate)
        for name in ("input_ids", "clean_ids", "attention_mask", "targets"):
            assert torch.equal(torch.cat([part[name] for part in parts]), whole[name]), name
        assert {(part["count"], part["tokens"]) for part in parts} == {(whole["count"], whole["tokens"])}
        assert whole["count"] == batches.sizes(step) == len(batches.samples(step))


def test_any_number_of_loader_workers_gives_the_same_batches_in_the_same_order(
    tokens_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = StepData(windows(tokens_folder), lambda: (3, 7), 2)
    given: list[list[Batch]] = []
    for workers in (0, 1, 2):
        monkeypatch.setenv("LIANZI_LOADER_WORKERS", str(workers))
        loader = data.train_dataloader()
        assert loader.num_workers == workers
        given.append([*loader, *data.val_dataloader()])
    assert len(given[0]) == 8 + 3
    for batches in given[1:]:
        assert all(same(batch, expected) for batch, expected in zip(batches, given[0], strict=True))


def test_the_loaders_go_on_from_wherever_the_training_stands(tokens_folder: Path) -> None:
    stands = [0]
    data = StepData(windows(tokens_folder), lambda: (stands[0], stands[0] + 2), 1)
    first = list(data.train_dataloader())
    stands[0] = 2
    second = list(data.train_dataloader())
    batches = windows(tokens_folder)
    for step, batch in enumerate(first + second):
        assert same(batch, batches.make(step, WHOLE))


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_the_ranks_validate_every_batch_once_and_equally_many(world: int) -> None:
    for count in range(1, 9):
        shares = []
        for rank in range(world):
            share = ValidationBatches(count, lambda number: {"number": number})
            share.rank, share.world = rank, world
            shares.append([share[index]["number"] for index in range(len(share))])
        assert len({len(share) for share in shares}) == 1
        together = [number for turn in zip(*shares, strict=True) for number in turn]
        assert together[:count] == list(range(count))


def test_validation_windows_do_not_depend_on_what_was_trained(tokens_folder: Path) -> None:
    batches = windows(tokens_folder)
    assert batches.validation_count == 3
    before = [batches.validation(number) for number in range(3)]
    batches.make(5, WHOLE)
    assert all(same(batches.validation(number), before[number]) for number in range(3))
    assert not same(before[0], before[1])


@pytest.mark.parametrize(("batch_size", "parts"), [(7, 4), (3, 2), (1, 2), (1, 4)])
def test_a_batch_too_small_for_its_parts_is_refused(batch_size: int, parts: int) -> None:
    with pytest.raises(ParameterError, match=rf"{batch_size} rows .* {parts} parts.*\n.*batch_size to {2 * parts} "):
        check_division(batch_size, parts)


@pytest.mark.parametrize(("batch_size", "parts"), [(8, 4), (4, 2), (2, 1), (1, 1)])
def test_a_batch_large_enough_is_not(batch_size: int, parts: int) -> None:
    check_division(batch_size, parts)


@pytest.mark.parametrize("batch_size", [2, 5, 8])
def test_no_part_of_a_batch_is_empty_where_the_division_is_allowed(batch_size: int) -> None:
    for samples in range(batch_size, 4 * batch_size):
        order = BucketedOrder([5] * samples, batch_size, 1)
        smallest = min(len(order.samples(step)) for step in range(order.steps_per_epoch))
        for parts in range(2, batch_size // 2 + 1):
            rows = [Part(number, parts).rows(smallest) for number in range(parts)]
            assert all(part.stop > part.start for part in rows)
