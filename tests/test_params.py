"""components.params: strict, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import ParameterError
from components.params import Params, check_params, flatten, load_params, read_yaml

ROOT = Path(__file__).parent.parent


def shipped() -> dict[str, Any]:
    return read_yaml(ROOT / "params.yaml")


def test_the_shipped_file_is_read_into_frozen_sections(params: Params) -> None:
    assert params.section("validate") is params.validation
    assert params.section("seed") == params.seed
    assert params.section("nothing") is None
    with pytest.raises(ValueError, match="frozen"):
        params.pretrain.steps = 3  # type: ignore[misc]


def test_heads_that_cannot_go_are_refused_before_anything_runs() -> None:
    content = shipped()
    content["distill"]["head_fraction"] = 0.5
    with pytest.raises(ParameterError, match=r"distill\.head_fraction: a modernbert has as many heads"):
        check_params(content, "params.yaml")
    content["model"]["architecture"] = "llama"
    assert check_params(content, "params.yaml").distill.head_fraction == 0.5


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("pretrain", "stepz", 3, r"pretrain\.stepz: unknown parameter\ndid you mean 'steps'\?"),
        ("tasks", "topic", {"kind": "classification", "languag": "en"}, "tasks.topic.language: missing"),
        ("pretrain", "steps", -1, "pretrain.steps: input should be greater than or equal to 0, not -1"),
        ("pretrain", "steps", "many", "pretrain.steps: input should be a valid integer, not 'many'"),
        (
            "pretrain",
            "objective",
            "mml",
            "pretrain.objective: input should be 'mlm', 'contrastive' or 'clm', not 'mml'",
        ),
        ("finetune", "dropout", 1.5, "finetune.dropout: input should be less than or equal to 1, not 1.5"),
        ("finetune", "seeds", [17, 17], "finetune.seeds: a seed is named twice"),
        ("finetune", "label_fraction", 0.0, "finetune.label_fraction: input should be greater than 0, not 0.0"),
        ("curate", "min_characters", 10**9, "curate: min_characters is larger than max_characters"),
        ("curate", "word_lists", ["/etc/words"], "curate: word_lists: /etc/words is not a file under data/"),
        ("curate", "languages", {"en": {"units": "word"}}, r"curate\.languages\.en\.\w+: missing"),
        ("curate", "scrub", ["names"], r"curate\.scrub\.0: input should be 'email', 'phone', 'ip_address'"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(section: str, key: str, value: Any, told: str) -> None:
    content = shipped()
    content[section][key] = value
    with pytest.raises(ParameterError, match=told):
        check_params(content, "params.yaml")


def test_an_unknown_section_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'finetune'"):
        check_params(shipped() | {"fine_tune": {}}, "params.yaml")
    with pytest.raises(ParameterError, match="did you mean 'validate'"):
        check_params(shipped() | {"valdate": {}}, "params.yaml")


def test_a_missing_section_is_named() -> None:
    content = shipped()
    del content["distill"]
    with pytest.raises(ParameterError, match=r"params\.yaml: distill: missing"):
        check_params(content, "params.yaml")


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
    ("given", "language"),
    [
        ("eng_Latn", "en"),
        ("cmn_Hani", "zh"),
        ("und", "mixed"),
        ("mixed", "mixed"),
        (["English", "zho"], ["en", "zh"]),
        (["zh"], "zh"),
    ],
)
def test_a_sources_language_may_be_named_in_any_way(given: object, language: object) -> None:
    content = shipped()
    content["corpus"]["moby_dick_en"]["language"] = given
    assert check_params(content, "params.yaml").corpus["moby_dick_en"].language == language


def test_a_tasks_language_may_be_named_in_any_way_but_is_one() -> None:
    content = shipped()
    content["tasks"]["form"]["language"] = "Chinese"
    assert check_params(content, "params.yaml").tasks["form"].language == "zh"
    for other in ("fr", "en,zh"):
        content["tasks"]["form"]["language"] = other
        with pytest.raises(ParameterError, match=r"tasks\.form\.language"):
            check_params(content, "params.yaml")


def test_what_is_no_language_of_a_source_is_told_in_one_line() -> None:
    content = shipped()
    content["corpus"]["moby_dick_en"]["language"] = 3
    with pytest.raises(ParameterError) as refusal:
        check_params(content, "params.yaml")
    assert "corpus.moby_dick_en.language: 3 is no language: expected one such as en" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) <= 2


def test_an_unknown_key_of_a_language_names_the_nearest() -> None:
    content = shipped()
    content["curate"]["languages"]["en"]["min_unit"] = 3
    with pytest.raises(
        ParameterError, match=r"curate\.languages\.en\.min_unit: unknown parameter\ndid you mean 'min_units'"
    ):
        check_params(content, "params.yaml")


@pytest.mark.parametrize(
    "name", ["../x", "/abs", "a/b", "", "a\nb", "a.b", ".hidden", "-x", "a" * 129, "corpus", "tokens"]
)
def test_a_tasks_name_is_a_folder_and_a_model_and_nothing_else(params: Params, name: str) -> None:
    content = params.model_dump(by_alias=True)
    content["tasks"] = {name: content["tasks"]["topic"]}
    with pytest.raises(ParameterError, match=r"params\.yaml: tasks: .* is no name for a task") as raised:
        check_params(content, "params.yaml")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a\nb", ".."])
def test_a_sources_name_is_that_of_a_file(params: Params, name: str) -> None:
    content = params.model_dump(by_alias=True)
    content["corpus"][name] = {"weight": 1.0, "language": "en", "licence": "unknown"}
    with pytest.raises(ParameterError, match=r"params\.yaml: corpus: .* is the name of no file"):
        check_params(content, "params.yaml")
    del content["corpus"][name]
    content["corpus"]["my notes, 2"] = {"weight": 1.0, "language": "en", "licence": "unknown"}
    check_params(content, "params.yaml")
