from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModel, PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import architecture as entry_of
from components.modeling.architectures import build_language_model, layers_of
from components.modeling.architectures.architecture import PrunableUnits
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.pruning import KeptUnits, ModelSizes, importance, pruned_sizes, select_units
from components.modeling.students import build_student, map_layers

IDS = torch.randint(4, 300, (6, 12), generator=torch.Generator().manual_seed(1))
TARGETS = torch.tensor([0, 1, 0, 1, 1, 0])
DEAD = range(5, 90, 2)
NARROWED = [name for name in FROM_SCRATCH if entry_of(name).heads is not None]
"""Those that can lose channels."""


def classifier(architecture: str, tokenizer_folder: Path, folder: Path) -> PreTrainedModel:
    torch.manual_seed(5)
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 2, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, folder)
    return random_classifier(folder, ["a", "b"], 0.0).eval()


def losses(model: PreTrainedModel) -> Iterator[Tensor]:
    for part in (slice(0, 4), slice(4, 6)):
        yield cross_entropy(model(IDS[part]).logits, TARGETS[part], reduction="sum")


def units(name: str, part: str) -> PrunableUnits:
    found: PrunableUnits = getattr(entry_of(name), part)
    return found


@torch.no_grad()
def silence(layer: torch.nn.Module, out: str, units: Tensor) -> None:
    """Have nobody read these units."""
    weight = layer.get_submodule(out).weight
    assert isinstance(weight, Tensor)
    (weight.T if isinstance(layer.get_submodule(out), torch.nn.Linear) else weight)[units] = 0


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_neurons_that_nobody_reads_go_first_and_are_not_missed(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    teacher = classifier(architecture, tokenizer_folder, tmp_path)
    for layer in layers_of(teacher):
        silence(layer, units(architecture, "neurons").out, torch.tensor(DEAD))
    whole = width_of(teacher)
    kept = select_units(teacher, losses, pruned_sizes(teacher.config, 1.0, 1 - len(DEAD) / whole, 1.0))
    assert kept.neurons is not None
    assert kept.heads is kept.channels is None
    for neurons in kept.neurons:
        assert len(neurons) % 8 == 0
        assert set(range(whole)) - set(DEAD) <= set(neurons.tolist())
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0).eval()
    assert width_of(student) == len(kept.neurons[0]) < whole
    torch.testing.assert_close(student(IDS).logits, teacher(IDS).logits, atol=1e-6, rtol=1e-5)


def width_of(model: PreTrainedModel) -> int:
    module = layers_of(model)[0].get_submodule(units(model.config.model_type, "neurons").out)
    shape = module.weight.shape
    return int(shape[1] if isinstance(module, torch.nn.Linear) else shape[0])


def test_a_head_that_nobody_reads_goes_and_is_not_missed(tokenizer_folder: Path, tmp_path: Path) -> None:
    teacher = classifier("llama", tokenizer_folder, tmp_path)
    silence(layers_of(teacher)[0], units("llama", "heads").out, torch.arange(64, 128))
    silence(layers_of(teacher)[1], units("llama", "heads").out, torch.arange(0, 64))
    kept = select_units(teacher, losses, pruned_sizes(teacher.config, 1.0, 1.0, 0.5))
    assert kept.heads is not None
    assert [heads.tolist() for heads in kept.heads] == [[0], [1]]
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0).eval()
    assert student.config.num_attention_heads == 1
    assert student.config.head_dim == 64
    torch.testing.assert_close(student(IDS).logits, teacher(IDS).logits, atol=1e-6, rtol=1e-5)


def test_importance_is_what_a_loss_changes_by_to_first_order(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = classifier("bert", tokenizer_folder, tmp_path)
    scores = importance(model, losses, [(units("bert", "neurons"), 1)])[0][1]
    neuron = int(scores.argmax())
    linear = layers_of(model)[1].get_submodule("output.dense")
    before = row_losses(model)
    with torch.no_grad():
        linear.weight[:, neuron] *= 0.999
    assert (row_losses(model) - before).abs().sum() * 1000 == pytest.approx(scores[neuron].item(), rel=0.05)
    assert all(parameter.grad is None for parameter in model.parameters())


@torch.no_grad()
def row_losses(model: PreTrainedModel) -> Tensor:
    return cross_entropy(model.double()(IDS).logits, TARGETS, reduction="none")


def test_nothing_is_computed_where_nothing_goes(tokenizer_folder: Path, tmp_path: Path) -> None:
    def never(model: PreTrainedModel) -> Iterator[Tensor]:
        raise AssertionError

    model = classifier("bert", tokenizer_folder, tmp_path)
    assert select_units(model, never, pruned_sizes(model.config, 1.0, 1.0, 1.0)) == KeptUnits()


@pytest.mark.parametrize("architecture", NARROWED)
def test_channels_that_nobody_writes_go_first(architecture: str, tokenizer_folder: Path, tmp_path: Path) -> None:
    teacher = classifier(architecture, tokenizer_folder, tmp_path)
    dead = torch.arange(0, 128, 2)
    with torch.no_grad():
        for module in teacher.modules():
            if isinstance(module, torch.nn.Embedding):
                module.weight[:, dead] = 0
            elif isinstance(getattr(module, "weight", None), Tensor) and module.weight.shape == (128,):
                module.weight[dead] = 0
        for layer in layers_of(teacher):
            for out in (units(architecture, "neurons").out, units(architecture, "heads").out):
                weight = layer.get_submodule(out).weight
                (weight.T if architecture == "gpt2" else weight)[dead] = 0
    kept = select_units(teacher, losses, pruned_sizes(teacher.config, 0.5, 1.0, 1.0))
    assert kept.channels is not None
    assert kept.channels.tolist() == list(range(1, 128, 2))


@pytest.mark.parametrize("architecture", NARROWED)
def test_a_narrower_student_has_its_teachers_weights_between_what_is_kept(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    teacher = classifier(architecture, tokenizer_folder, tmp_path)
    kept = select_units(teacher, losses, pruned_sizes(teacher.config, 0.5, 0.5, 1.0))
    assert kept.channels is not None
    assert kept.neurons is not None
    assert (kept.heads is None) == entry_of(architecture).independent_heads
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0).eval()
    assert ModelSizes.of(student.config) == kept.sizes(teacher.config)
    assert student.config.hidden_size == 64
    assert student(IDS).logits.isfinite().all()
    embedded = teacher.get_input_embeddings().weight[:, kept.channels]
    assert torch.equal(student.get_input_embeddings().weight, embedded)
    for one, other, neurons in zip(layers_of(student), layers_of(teacher), kept.neurons, strict=True):
        out, wanted = (layer.get_submodule(units(architecture, "neurons").out).weight for layer in (one, other))
        rows, columns = (neurons, kept.channels) if architecture == "gpt2" else (kept.channels, neurons)
        assert torch.equal(out, wanted[rows][:, columns])


def test_a_tied_head_goes_with_the_width_and_takes_its_part_of_queries_keys_and_values(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    teacher = classifier("modernbert", tokenizer_folder, tmp_path)
    silence(layers_of(teacher)[0], units("modernbert", "heads").out, torch.arange(0, 64))
    silence(layers_of(teacher)[1], units("modernbert", "heads").out, torch.arange(64, 128))
    kept = select_units(teacher, losses, pruned_sizes(teacher.config, 0.5, 1.0, 1.0))
    assert kept.heads is not None
    assert [heads.tolist() for heads in kept.heads] == [[1], [0]]
    student = build_student(teacher, map_layers(2, 1.0), kept, 0.0)
    whole, part = (layers_of(model)[0].get_submodule("attn.Wqkv").weight for model in (teacher, student))
    rows = torch.cat([torch.arange(64, 128) + 128 * third for third in range(3)])
    assert torch.equal(part, whole[rows][:, kept.channels])


def test_heads_are_refused_where_their_width_is_the_models(tokenizer_folder: Path, tmp_path: Path) -> None:
    config = classifier("modernbert", tokenizer_folder, tmp_path).config
    with pytest.raises(ParameterError, match=r"head_fraction 0.5: a modernbert has as many heads") as caught:
        pruned_sizes(config, 1.0, 1.0, 0.5)
    assert "width_fraction" in caught.value.hint


@pytest.mark.parametrize("name", [name for name in ONE_STACK if name != "xlnet"])
def test_what_is_cut_stands_in_a_layer_under_these_names(name: str) -> None:
    entry = entry_of(name)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, units(name, "neurons").setting: 64}
    config = AutoConfig.for_model(name.replace("_", "-"), vocab_size=50, pad_token_id=0, **sizes)
    model = AutoModel.from_config(config)
    for cut in filter(None, (entry.neurons, entry.heads)):
        out = next(name for name, _ in model.named_modules() if name.endswith(f".0.{cut.out}"))
        layer = out.removesuffix(cut.out)
        names = {name.removeprefix(layer) for name in model.state_dict() if name.startswith(layer)}
        weights = {name for name in cut.slices if name.endswith(".weight")}
        assert weights <= names
        biases = names & {name.replace(".weight", ".bias") for name in weights}
        assert biases - {f"{cut.out}.bias"} <= set(cut.slices)


def test_the_width_of_an_mpnet_is_refused() -> None:
    config = AutoConfig.for_model("mpnet")
    assert pruned_sizes(config, 1.0, 0.5, 1.0) == ModelSizes(768, 1536, 12)
    with pytest.raises(
        ParameterError, match=r"distill\.width_fraction 0\.5: a mpnet cannot be made narrower"
    ) as caught:
        pruned_sizes(config, 0.5, 1.0, 1.0)
    assert caught.value.hint is not None
    assert "bert" in caught.value.hint


def test_heads_that_share_keys_are_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    config = classifier("llama", tokenizer_folder, tmp_path).config
    config.num_key_value_heads = 1
    with pytest.raises(ParameterError, match="heads that share keys"):
        pruned_sizes(config, 1.0, 1.0, 0.5)


NEURON_SHARES = [(320, 0.5, 160), (320, 0.51, 168), (320, 0.001, 8), (5, 0.5, 5)]


@pytest.mark.parametrize(("whole", "fraction", "left"), NEURON_SHARES)
def test_neurons_are_multiples_of_eight(
    whole: int, fraction: float, left: int, tokenizer_folder: Path, tmp_path: Path
) -> None:
    config = classifier("bert", tokenizer_folder, tmp_path).config
    config.intermediate_size = whole
    assert pruned_sizes(config, 1.0, fraction, 1.0).neurons == left


SHARES = [
    ("llama", 1.0, 0.05, (768, 1)),
    ("llama", 1.0, 0.4, (768, 6)),
    ("llama", 1.0, 0.8, (768, 12)),
    ("llama", 0.5, 1.0, (384, 12)),
    ("llama", 0.3, 0.25, (240, 3)),
    ("modernbert", 0.5, 1.0, (384, 6)),
    ("modernbert", 0.3, 1.0, (256, 4)),
    ("bert", 0.01, 1.0, (64, 1)),
]


@pytest.mark.parametrize(("architecture", "width", "heads", "left"), SHARES)
def test_heads_and_width_fit_each_other(
    architecture: str, width: float, heads: float, left: tuple[int, int], tokenizer_folder: Path, tmp_path: Path
) -> None:
    config = classifier(architecture, tokenizer_folder, tmp_path).config
    config.num_attention_heads = 12
    config.hidden_size = 768
    if architecture == "llama":
        config.num_key_value_heads = 12
    found = pruned_sizes(config, width, 1.0, heads)
    assert (found.width, found.heads) == left
