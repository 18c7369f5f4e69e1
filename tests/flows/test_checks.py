"""flows.checks: what a run would fail by after minutes is told before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.corpus.config import SourceConfig
from components.errors import LianziError
from components.params import Params
from components.tasks.config import TaskConfig
from components.training.config import AdapterConfig
from flows.checks import check_project, check_stages
from flows.graph import Stage
from tests.corpus.small_corpus import SOURCES, TASKS, small_data
from tests.small_families import family_checkpoint
from tests.small_params import objective

CURATE, TRAIN = ("curate", "validate"), ("pretrain", "finetune@colour", "distill@colour")


@pytest.fixture
def own(params: Params, tmp_path: Path) -> Params:
    """Parameters that fit the small data in data/."""
    small_data(tmp_path / "data")
    return params.model_copy(update={"tasks": TASKS, "corpus": SOURCES})


def changed(params: Params, section: str, **values: object) -> Params:
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


def test_a_project_that_is_well_is_told_nothing(own: Params, tmp_path: Path) -> None:
    assert check_stages(tmp_path, own, [*CURATE, *TRAIN]) == []


def test_only_what_is_stale_is_looked_at(own: Params, tmp_path: Path) -> None:
    lost = own.model_copy(update={"tasks": {"mood": TASKS["colour"]}})
    assert check_project(tmp_path, lost, [Stage("curate", (), ()), Stage("export@mood", (), ("changed",))]) == []
    with pytest.raises(LianziError, match=r"mood: missing, and params\.yaml names the task"):
        check_project(tmp_path, lost, [Stage("curate", (), ("new",))])


def test_a_split_that_is_missing_or_has_no_label_is_told(own: Params, tmp_path: Path) -> None:
    rows = tmp_path / "data" / "tasks" / "colour"
    (rows / "validation.jsonl").write_text(json.dumps({"text": "a", "class": "b"}) + "\n")
    with pytest.raises(LianziError, match=r"validation\.jsonl:1: no 'label'"):
        check_stages(tmp_path, own, CURATE)
    (rows / "validation.jsonl").unlink()
    with pytest.raises(LianziError, match="no validation rows"):
        check_stages(tmp_path, own, CURATE)


def test_a_corpus_a_word_list_and_a_language_are_looked_for(
    own: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LianziError, match=r"data/words\.txt: no such file"):
        check_stages(tmp_path, changed(own, "curate", word_lists=["data/words.txt"]), CURATE)
    strange = own.corpus | {"sea_en": SourceConfig(weight=1.0, language="tlh", licence="MIT")}
    with pytest.raises(LianziError, match=r"corpus\.sea_en: no quality rules for the language 'tlh'"):
        check_stages(tmp_path, own.model_copy(update={"corpus": strange}), CURATE)
    for path in (tmp_path / "data" / "corpus").iterdir():
        path.unlink()
    with pytest.raises(LianziError, match="no corpus here"):
        check_stages(tmp_path, own, CURATE)


def test_a_source_that_is_misspelt_is_told(own: Params, tmp_path: Path) -> None:
    misspelt = {"see_en": SOURCES["sea_en"], "verse_zh": SOURCES["verse_zh"]}
    [told] = check_stages(tmp_path, own.model_copy(update={"corpus": misspelt}), CURATE)
    assert told.endswith("corpus.see_en: data/corpus has no source of that name; did you mean 'sea_en'?")


def test_the_accepted_statistics_have_to_be_there(own: Params, tmp_path: Path) -> None:
    accepted = own.model_copy(
        update={"validation": own.validation.model_copy(update={"accepted": "metrics/accepted/0.json"})}
    )
    with pytest.raises(LianziError, match=r"validate\.accepted: .*no such file"):
        check_stages(tmp_path, accepted, ["validate"])


@pytest.mark.parametrize(
    ("section", "values", "told"),
    [
        ("model", {"max_length": 32}, "pretrain.sequence_length 96 is longer than model.max_length 32"),
        ("trainer", {"accumulate": 64}, "a batch of .* rows is too small for 64 parts"),
        (
            "pretrain",
            {"objective": objective("simcse"), "batch_size": 1},
            "simcse tells a window from others, and there",
        ),
        ("pretrain", {"objective": objective("nsp"), "batch_size": 1}, r"nsp tells .*no other\nset it to 2 or more"),
        (
            "pretrain",
            {"objective": objective("mlm", mask_probability=1e-6)},
            r"mask_probability 1e-06: of a batch of 128 windows of 96 tokens 0\.012 are learned from",
        ),
        ("pretrain", {"objective": objective("clm")}, "pretrain.objective.name clm does not fit model.architecture "),
    ],
)
def test_parameters_that_do_not_go_together_are_told(
    own: Params, tmp_path: Path, section: str, values: dict[str, object], told: str
) -> None:
    with pytest.raises(LianziError, match=told):
        check_stages(tmp_path, changed(own, section, **values), TRAIN)


def test_a_task_longer_than_the_model_reads_is_told(own: Params, tmp_path: Path) -> None:
    tasks = {"colour": TaskConfig(kind="classification", language="en", max_length=4096)}
    with pytest.raises(LianziError, match=r"tasks\.colour\.max_length 4096 is longer than model\.max_length 512"):
        check_stages(tmp_path, own.model_copy(update={"tasks": tasks}), TRAIN)


def test_rounding_does_not_go_with_compiling(own: Params, tmp_path: Path) -> None:
    both = changed(changed(own, "distill", quantization_aware=0.5), "trainer", compile=True)
    with pytest.raises(LianziError, match=r"distill\.quantization_aware 0\.5 does not go with trainer\.compile"):
        check_stages(tmp_path, both, TRAIN)


def test_the_environments_numbers_are_looked_at(own: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_LOADER_WORKERS", "abc")
    with pytest.raises(LianziError, match="LIANZI_LOADER_WORKERS=abc: not a number"):
        check_stages(tmp_path, own, [])


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        ({"targets": ["query"]}, r"finetune\.adapter\.targets: a modernbert has no linear layer 'query'"),
        ({"rank": 10**9}, r"finetune\.adapter\.rank 1000000000: \S+ of this modernbert is 128 wide"),
    ],
)
def test_an_adapter_that_fits_no_layer_is_told(
    adapter: dict[str, object], told: str, own: Params, tmp_path: Path
) -> None:
    lora = AdapterConfig.model_validate(
        {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.0, "targets": None, **adapter}
    )
    with pytest.raises(LianziError, match=told):
        check_stages(tmp_path, changed(own, "finetune", adapter=lora), TRAIN)


def test_an_adapter_is_held_against_the_checkpoint_that_it_goes_on_from(own: Params, tmp_path: Path) -> None:
    start = family_checkpoint("bert", tmp_path / "bert")
    lora = AdapterConfig.model_validate({"name": "lora", "rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["Wqkv"]})
    adapted = changed(changed(own, "finetune", adapter=lora), "pretrain", init_from=str(start))
    with pytest.raises(LianziError, match=r"a bert has no linear layer 'Wqkv'\nit has attention"):
        check_stages(tmp_path, adapted, TRAIN)


def test_documents_that_an_objective_cannot_keep_apart_are_told(own: Params, tmp_path: Path) -> None:
    t5 = changed(changed(own, "model", architecture="t5"), "pretrain", objective=objective("span_corruption"))
    with pytest.raises(LianziError, match=r"pretrain\.document_attention: span_corruption reads a window as one text"):
        check_stages(tmp_path, t5, TRAIN)
