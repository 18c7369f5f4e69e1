"""components.params: strict, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ParameterError
from components.params import Params, check_params, flatten, load_params
from tests.small_params import checked, refused, shipped


def test_the_shipped_file_is_read_into_frozen_sections(params: Params) -> None:
    assert params.section("validate") is params.validation
    assert params.section("seed") == params.seed
    assert params.section("nothing") is None
    with pytest.raises(ValueError, match="frozen"):
        params.pretrain.steps = 3  # type: ignore[misc]


def test_heads_that_cannot_go_are_refused_before_anything_runs() -> None:
    assert "distill.head_fraction: a modernbert has as many heads" in refused({"distill.head_fraction": 0.5})
    assert checked({"distill.head_fraction": 0.5, "model.architecture": "llama"}).distill.head_fraction == 0.5


def test_an_adapter_has_its_own_parameters() -> None:
    lora = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.0, "targets": None}
    assert checked({"finetune.adapter": lora}).finetune.adapter.model_dump() == lora
    told = refused({"finetune.adapter": {"name": "lora"}})
    assert told.endswith("write adapter: {name: lora, rank: …, alpha: …, dropout: …, targets: …}")
    assert "no adapter 'laura'; known: full, frozen, lora" in refused({"finetune.adapter": {"name": "laura"}})
    assert "no graph has a place" in refused({"finetune.adapter": {"name": "prefix"}})
    assert "optimizer: muon" in refused({"finetune.adapter": {"name": "frozen"}, "finetune.optimizer": "muon"})


def test_preferences_need_answers_and_a_reference_that_knows_some() -> None:
    dpo = {"finetune.loss": {"name": "dpo", "beta": 0.1}}
    assert "set without_pretraining to false" in refused(dpo)
    dpo |= {"finetune.without_pretraining": False}
    assert "dpo learns from pairs of answers, which tasks.topic of kind classification has not" in refused(dpo)
    assert "tasks.topic of kind classification is not answered with texts" in refused(
        {"distill.targets": {"name": "sequence_level", "beams": 5}}
    )
    assert "no loss 'ppo'; known: supervised, dpo" in refused({"finetune.loss": {"name": "ppo"}})


def test_a_number_is_finite() -> None:
    assert "pretrain.learning_rate: input should be a finite number, not inf" in refused(
        {"pretrain.learning_rate": float("inf")}
    )


@pytest.mark.parametrize("column", [0, 1, "", True, 2.0, ["tags"]])
def test_a_column_is_a_name_or_a_number(column: object) -> None:
    task = {"kind": "token_classification", "language": "en", "max_length": 64, "column": column}
    assert f"tasks.names.column: the name of a column, or its number from 2, not {column!r}" in refused(
        {"tasks.names": task}
    )


def test_a_language_model_has_no_new_head_to_train_alone() -> None:
    task = {"kind": "generation", "language": "en", "max_length": 64}
    gpt2 = {"tasks.story": task, "model.architecture": "gpt2", "pretrain.objective": {"name": "clm"}}
    told = refused({**gpt2, "finetune.adapter": {"name": "frozen"}})
    assert "frozen trains a new head alone, and a language model (tasks.story) gets none" in told
    french = {"tasks": {"french": {"kind": "translation", "language": "en", "max_length": 64}}}
    whole = {"distill.width_fraction": 1.0, "distill.ffn_fraction": 1.0}
    t5 = {**french, **whole, "model.architecture": "t5"}
    assert "(tasks.french) gets none" in refused({**t5, "finetune.adapter": {"name": "frozen"}})


def test_an_architecture_without_random_weights_needs_a_checkpoint() -> None:
    assert "model.architecture: distilbert comes as a checkpoint alone" in refused({"model.architecture": "distilbert"})


def test_an_architecture_that_cannot_be_narrowed_is_refused_before_any_work() -> None:
    xlnet = {"model.architecture": "xlnet"}
    assert "distill.width_fraction: a xlnet cannot be made narrower: set it to 1.0" in refused(xlnet)
    assert checked({**xlnet, "distill.width_fraction": 1.0}).model.architecture == "xlnet"


def test_a_student_of_another_architecture_is_refused_naming_those_that_fit() -> None:
    anew = {"distill.architecture": "electra", "distill.ffn_fraction": 1.0}
    relations = {"name": "attention_relations", "weight": 1.0, "relations": ["key-key"], "heads": 1}
    checked({**anew, "distill.features": relations})
    assert "distill.architecture: modernbert is its teacher's: set it to same" in refused(
        {**anew, "distill.features": relations, "distill.architecture": "modernbert"}
    )
    assert "set it to same, bert, roberta" in refused(
        {**anew, "distill.architecture": "t5", "distill.features": {"name": "hidden_states", "weight": 0.0}}
    )
    assert "distill.architecture: no student begins as a 'mpnet'" in refused({**anew, "distill.architecture": "mpnet"})
    assert "features: hidden states of a electra have other channels" in refused(anew)
    assert "ffn_fraction: is of a pruned copy" in refused({"distill.architecture": "electra"})
    told = refused({**anew, "distill.features": relations, "distill.architecture": "xlnet"})
    assert "distill.architecture: no queries and keys of a xlnet can be read" in told


def test_what_once_stood_for_features_is_told_as_they_are_written_now() -> None:
    assert "write features: {name: hidden_states, weight: 0.5}, and remove hidden_weight" in refused(
        {"distill.hidden_weight": 0.5}
    )


def test_an_unknown_section_names_the_nearest() -> None:
    assert "did you mean 'finetune'" in refused({"fine_tune": {}})
    assert "did you mean 'validate'" in refused({"valdate": {}})


def test_a_missing_section_and_a_missing_key_are_named() -> None:
    content = shipped()
    del content["distill"]
    with pytest.raises(ParameterError, match=r"params\.yaml: distill: missing"):
        check_params(content, "params.yaml")
    entry = {"kind": "classification", "languag": "en"}
    assert "tasks.topic.language: missing" in refused({"tasks.topic": entry})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"seed: [1", r"p\.yaml:\d: not YAML"),
        (b"seed: 1\nseed: 2\n", "not YAML"),
        (b"- 1\n", "expected sections"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_broken_file_is_told_with_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=told):
        load_params(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such file"):
        load_params(tmp_path / "params.yaml")


def test_flatten_joins_keys_with_dots_and_leaves_lists() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": 2}) == {"a.b": 1, "a.c.d": [1, 2], "e": 2}


@pytest.mark.parametrize(
    "name", ["../x", "/abs", "a/b", "", "a\nb", "a.b", ".hidden", "-x", "a" * 129, "corpus", "tokens"]
)
def test_a_tasks_name_is_a_folder_and_a_model_and_nothing_else(name: str) -> None:
    message = refused({"tasks": {name: shipped()["tasks"]["topic"]}})
    assert "params.yaml: tasks: " in message
    assert "is not a name for a task" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a\nb", ".."])
def test_a_sources_name_is_that_of_a_file(name: str) -> None:
    source = {"weight": 1.0, "language": "en", "licence": "unknown"}
    assert "is the name of no file" in refused({"corpus": {name: source}})
    checked({"corpus": {"my notes, 2": source}})
